// Symbols of four bits and their entropy stage (FORMAT.md, "Symbols").
#ifndef CVARVE_SYMBOLS_H
#define CVARVE_SYMBOLS_H

#include <stddef.h>
#include <stdint.h>

/// Counts how many of `count` < 2^32 symbols, each below 16, are 0 … 15.
void cvarve_count_symbols(const uint8_t *symbols, size_t count, uint32_t *counts);

/// Writes where the symbol 15 stands among `count` < 2^31, in order, as long as there is room, and answers how often it
/// does.
size_t cvarve_find_escapes(const uint8_t *symbols, size_t count, int32_t *places, size_t room);

/// Codes `count` symbols below 16 by `frequencies` that sum to 2,048, none 0 of a symbol that occurs. Fills the end of
/// the room's 32 + 2 × count bytes with states and words, and answers where they begin.
size_t cvarve_code_symbols(const uint8_t *symbols, size_t count, const uint16_t *frequencies, uint8_t *room);

/// What each of 2,048 slots says: its symbol, that one's frequency, and how far the slot is from the symbol's first.
typedef struct {
  uint16_t frequencies[2048], distances[2048];
  uint8_t symbols[2048];
} cvarve_symbol_table;

/// Of 16 frequencies that sum to 2,048.
void cvarve_make_symbol_table(const uint16_t *frequencies, cvarve_symbol_table *table);

/// Decodes `count` symbols from states and words, of which there are an even number of bytes, 32 at least. Answers 0 if
/// they do not end where the bytes do, or leave another state than the first; then `symbols` may hold anything.
int cvarve_decode_symbols(
    const cvarve_symbol_table *table, const uint8_t *bytes, size_t byte_count, uint8_t *symbols, size_t count);

/// The same of the first `count` of more symbols: what follows is not looked at.
int cvarve_decode_first_symbols(
    const cvarve_symbol_table *table, const uint8_t *bytes, size_t byte_count, uint8_t *symbols, size_t count);

#endif

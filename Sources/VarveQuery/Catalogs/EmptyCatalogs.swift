// The catalogs of things that Varve does not have: their columns as in PostgreSQL 15, and no rows. Clients join them to ask
// whether there is something.

import VarveCore

enum EmptyCatalogs {
  static let tables: [VirtualTable] = [
    (
      "pg_amop", 2602,
      """
      oid oid amopfamily oid amoplefttype oid amoprighttype oid amopstrategy int2 amoppurpose char amopopr oid \
      amopmethod oid amopsortfamily oid
      """
    ),
    (
      "pg_amproc", 2603,
      """
      oid oid amprocfamily oid amproclefttype oid amprocrighttype oid amprocnum int2 amproc regproc
      """
    ),
    ("pg_auth_members", 1261, "roleid oid member oid grantor oid admin_option bool"),
    (
      "pg_available_extension_versions", 0,
      """
      name name version text installed bool superuser bool trusted bool relocatable bool schema name requires name[] \
      comment text
      """
    ),
    ("pg_available_extensions", 0, "name name default_version text installed_version text comment text"),
    (
      "pg_conversion", 2607,
      """
      oid oid conname name connamespace oid conowner oid conforencoding int4 contoencoding int4 conproc regproc \
      condefault bool
      """
    ),
    ("pg_db_role_setting", 2964, "setdatabase oid setrole oid setconfig text[]"),
    ("pg_default_acl", 826, "oid oid defaclrole oid defaclnamespace oid defaclobjtype char defaclacl text[]"),
    (
      "pg_depend", 2608,
      """
      classid oid objid oid objsubid int4 refclassid oid refobjid oid refobjsubid int4 deptype char
      """
    ),
    ("pg_description", 2609, "objoid oid classoid oid objsubid int4 description text"),
    ("pg_enum", 3501, "oid oid enumtypid oid enumsortorder float4 enumlabel name"),
    (
      "pg_event_trigger", 3466,
      """
      oid oid evtname name evtevent name evtowner oid evtfoid oid evtenabled char evttags text[]
      """
    ),
    (
      "pg_extension", 3079,
      """
      oid oid extname name extowner oid extnamespace oid extrelocatable bool extversion text extconfig oid[] \
      extcondition text[]
      """
    ),
    (
      "pg_foreign_data_wrapper", 2328,
      """
      oid oid fdwname name fdwowner oid fdwhandler oid fdwvalidator oid fdwacl text[] fdwoptions text[]
      """
    ),
    (
      "pg_foreign_server", 1417,
      """
      oid oid srvname name srvowner oid srvfdw oid srvtype text srvversion text srvacl text[] srvoptions text[]
      """
    ),
    ("pg_foreign_table", 3118, "ftrelid oid ftserver oid ftoptions text[]"),
    ("pg_group", 0, "groname name grosysid oid grolist oid[]"),
    ("pg_inherits", 2611, "inhrelid oid inhparent oid inhseqno int4 inhdetachpending bool"),
    ("pg_init_privs", 3394, "objoid oid classoid oid objsubid int4 privtype char initprivs text[]"),
    ("pg_largeobject_metadata", 2995, "oid oid lomowner oid lomacl text[]"),
    (
      "pg_locks", 0,
      """
      locktype text database oid relation oid page int4 tuple int2 virtualxid text transactionid oid classid oid \
      objid oid objsubid int2 virtualtransaction text pid int4 mode text granted bool fastpath bool waitstart \
      timestamptz
      """
    ),
    (
      "pg_matviews", 0,
      """
      schemaname name matviewname name matviewowner name tablespace name hasindexes bool ispopulated bool definition \
      text
      """
    ),
    (
      "pg_opclass", 2616,
      """
      oid oid opcmethod oid opcname name opcnamespace oid opcowner oid opcfamily oid opcintype oid opcdefault bool \
      opckeytype oid
      """
    ),
    ("pg_opfamily", 2753, "oid oid opfmethod oid opfname name opfnamespace oid opfowner oid"),
    ("pg_parameter_acl", 6243, "oid oid parname text paracl text[]"),
    (
      "pg_partitioned_table", 3350,
      """
      partrelid oid partstrat char partnatts int2 partdefid oid partattrs int2vector partclass oidvector \
      partcollation oidvector partexprs text
      """
    ),
    (
      "pg_policies", 0,
      """
      schemaname name tablename name policyname name permissive text roles name[] cmd text qual text with_check text
      """
    ),
    (
      "pg_policy", 3256,
      """
      oid oid polname name polrelid oid polcmd char polpermissive bool polroles oid[] polqual text polwithcheck text
      """
    ),
    (
      "pg_prepared_statements", 0,
      """
      name text statement text prepare_time timestamptz parameter_types oid[] from_sql bool generic_plans int8 \
      custom_plans int8
      """
    ),
    ("pg_prepared_xacts", 0, "transaction oid gid text prepared timestamptz owner name database name"),
    (
      "pg_publication", 6104,
      """
      oid oid pubname name pubowner oid puballtables bool pubinsert bool pubupdate bool pubdelete bool pubtruncate \
      bool pubviaroot bool
      """
    ),
    ("pg_publication_namespace", 6237, "oid oid pnpubid oid pnnspid oid"),
    ("pg_publication_rel", 6106, "oid oid prpubid oid prrelid oid prqual text prattrs int2vector"),
    ("pg_publication_tables", 0, "pubname name schemaname name tablename name attnames name[] rowfilter text"),
    (
      "pg_range", 3541,
      """
      rngtypid oid rngsubtype oid rngmultitypid oid rngcollation oid rngsubopc oid rngcanonical regproc rngsubdiff \
      regproc
      """
    ),
    ("pg_replication_origin", 6000, "roident oid roname text"),
    (
      "pg_replication_slots", 0,
      """
      slot_name name plugin name slot_type text datoid oid database name temporary bool active bool active_pid int4 \
      xmin oid catalog_xmin oid restart_lsn text confirmed_flush_lsn text wal_status text safe_wal_size int8 \
      two_phase bool
      """
    ),
    (
      "pg_rewrite", 2618,
      """
      oid oid rulename name ev_class oid ev_type char ev_enabled char is_instead bool ev_qual text ev_action text
      """
    ),
    ("pg_rules", 0, "schemaname name tablename name rulename name definition text"),
    ("pg_seclabel", 3596, "objoid oid classoid oid objsubid int4 provider text label text"),
    (
      "pg_seclabels", 0,
      """
      objoid oid classoid oid objsubid int4 objtype text objnamespace oid objname text provider text label text
      """
    ),
    (
      "pg_sequence", 2224,
      """
      seqrelid oid seqtypid oid seqstart int8 seqincrement int8 seqmax int8 seqmin int8 seqcache int8 seqcycle bool
      """
    ),
    (
      "pg_sequences", 0,
      """
      schemaname name sequencename name sequenceowner name data_type oid start_value int8 min_value int8 max_value \
      int8 increment_by int8 cycle bool cache_size int8 last_value int8
      """
    ),
    ("pg_shdepend", 1214, "dbid oid classid oid objid oid objsubid int4 refclassid oid refobjid oid deptype char"),
    ("pg_shdescription", 2396, "objoid oid classoid oid description text"),
    ("pg_shseclabel", 3592, "objoid oid classoid oid provider text label text"),
    (
      "pg_stat_all_indexes", 0,
      """
      relid oid indexrelid oid schemaname name relname name indexrelname name idx_scan int8 idx_tup_read int8 \
      idx_tup_fetch int8
      """
    ),
    ("pg_stat_gssapi", 0, "pid int4 gss_authenticated bool principal text encrypted bool"),
    (
      "pg_stat_replication", 0,
      """
      pid int4 usesysid oid usename name application_name text client_addr text client_hostname text client_port \
      int4 backend_start timestamptz backend_xmin oid state text sent_lsn text write_lsn text flush_lsn text \
      replay_lsn text write_lag interval flush_lag interval replay_lag interval sync_priority int4 sync_state text \
      reply_time timestamptz
      """
    ),
    (
      "pg_stat_ssl", 0,
      """
      pid int4 ssl bool version text cipher text bits int4 client_dn text client_serial numeric issuer_dn text
      """
    ),
    (
      "pg_stat_user_functions", 0,
      """
      funcid oid schemaname name funcname name calls int8 total_time float8 self_time float8
      """
    ),
    (
      "pg_stat_user_indexes", 0,
      """
      relid oid indexrelid oid schemaname name relname name indexrelname name idx_scan int8 idx_tup_read int8 \
      idx_tup_fetch int8
      """
    ),
    (
      "pg_stat_wal_receiver", 0,
      """
      pid int4 status text receive_start_lsn text receive_start_tli int4 written_lsn text flushed_lsn text \
      received_tli int4 last_msg_send_time timestamptz last_msg_receipt_time timestamptz latest_end_lsn text \
      latest_end_time timestamptz slot_name text sender_host text sender_port int4 conninfo text
      """
    ),
    (
      "pg_statio_all_tables", 0,
      """
      relid oid schemaname name relname name heap_blks_read int8 heap_blks_hit int8 idx_blks_read int8 idx_blks_hit \
      int8 toast_blks_read int8 toast_blks_hit int8 tidx_blks_read int8 tidx_blks_hit int8
      """
    ),
    (
      "pg_statio_user_tables", 0,
      """
      relid oid schemaname name relname name heap_blks_read int8 heap_blks_hit int8 idx_blks_read int8 idx_blks_hit \
      int8 toast_blks_read int8 toast_blks_hit int8 tidx_blks_read int8 tidx_blks_hit int8
      """
    ),
    (
      "pg_statistic", 2619,
      """
      starelid oid staattnum int2 stainherit bool stanullfrac float4 stawidth int4 stadistinct float4 stakind1 int2 \
      stakind2 int2 stakind3 int2 stakind4 int2 stakind5 int2 staop1 oid staop2 oid staop3 oid staop4 oid staop5 oid \
      stacoll1 oid stacoll2 oid stacoll3 oid stacoll4 oid stacoll5 oid stanumbers1 float4[] stanumbers2 float4[] \
      stanumbers3 float4[] stanumbers4 float4[] stanumbers5 float4[] stavalues1 text[] stavalues2 text[] stavalues3 \
      text[] stavalues4 text[] stavalues5 text[]
      """
    ),
    (
      "pg_statistic_ext", 3381,
      """
      oid oid stxrelid oid stxname name stxnamespace oid stxowner oid stxstattarget int4 stxkeys int2vector stxkind \
      char[] stxexprs text
      """
    ),
    (
      "pg_statistic_ext_data", 3429,
      """
      stxoid oid stxdinherit bool stxdndistinct text stxddependencies text stxdmcv text stxdexpr text[]
      """
    ),
    (
      "pg_stats", 0,
      """
      schemaname name tablename name attname name inherited bool null_frac float4 avg_width int4 n_distinct float4 \
      most_common_vals text[] most_common_freqs float4[] histogram_bounds text[] correlation float4 \
      most_common_elems text[] most_common_elem_freqs float4[] elem_count_histogram float4[]
      """
    ),
    (
      "pg_subscription", 6100,
      """
      oid oid subdbid oid subskiplsn text subname name subowner oid subenabled bool subbinary bool substream bool \
      subtwophasestate char subdisableonerr bool subconninfo text subslotname name subsynccommit text \
      subpublications text[]
      """
    ),
    ("pg_subscription_rel", 6102, "srsubid oid srrelid oid srsubstate char srsublsn text"),
    ("pg_transform", 3576, "oid oid trftype oid trflang oid trffromsql regproc trftosql regproc"),
    (
      "pg_trigger", 2620,
      """
      oid oid tgrelid oid tgparentid oid tgname name tgfoid oid tgtype int2 tgenabled char tgisinternal bool \
      tgconstrrelid oid tgconstrindid oid tgconstraint oid tgdeferrable bool tginitdeferred bool tgnargs int2 tgattr \
      int2vector tgargs text tgqual text tgoldtable name tgnewtable name
      """
    ),
    ("pg_ts_config", 3602, "oid oid cfgname name cfgnamespace oid cfgowner oid cfgparser oid"),
    ("pg_ts_config_map", 3603, "mapcfg oid maptokentype int4 mapseqno int4 mapdict oid"),
    ("pg_ts_dict", 3600, "oid oid dictname name dictnamespace oid dictowner oid dicttemplate oid dictinitoption text"),
    (
      "pg_ts_parser", 3601,
      """
      oid oid prsname name prsnamespace oid prsstart regproc prstoken regproc prsend regproc prsheadline regproc \
      prslextype regproc
      """
    ),
    ("pg_ts_template", 3764, "oid oid tmplname name tmplnamespace oid tmplinit regproc tmpllexize regproc"),
    ("pg_user_mapping", 1418, "oid oid umuser oid umserver oid umoptions text[]"),
    ("pg_user_mappings", 0, "umid oid srvid oid srvname name umuser oid usename name umoptions text[]"),
  ].map { name, oid, columns in VirtualTable("pg_catalog", name, oid: UInt32(oid), columns) }
}

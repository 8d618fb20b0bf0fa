-- Schema 1 of a campaign's queue. Times are INTEGER UTC milliseconds, digests are BLOB, sizes are bytes, NULL is unknown.
-- The CHECKs and the trigger file_move repeat the state machine of the package's types: an illegal move is an error of the
-- database, whatever program makes it. Read the views v_files, v_failures and v_throughput; the tables may change.

CREATE TABLE meta (
  key   TEXT NOT NULL PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- One row for each get or plan.
CREATE TABLE query (
  id          INTEGER PRIMARY KEY,
  spec        TEXT    NOT NULL CHECK (json_valid(spec)),
  started_at  INTEGER NOT NULL,
  finished_at INTEGER,
  summary     TEXT    CHECK (summary IS NULL OR json_valid(summary)),
  row_count   INTEGER NOT NULL DEFAULT 0,  -- product rows taken in
  duplicates  INTEGER NOT NULL DEFAULT 0,  -- of these, folded into a file this query had listed
  known       INTEGER NOT NULL DEFAULT 0   -- of these, of files an earlier query had listed
) STRICT;

-- One row for each request of the planner.
CREATE TABLE chunk (
  id         INTEGER PRIMARY KEY,
  query_id   INTEGER NOT NULL REFERENCES query(id),
  parent_id  INTEGER REFERENCES chunk(id),
  kind       TEXT    NOT NULL CHECK (kind <> ''),
  spec       TEXT    NOT NULL CHECK (json_valid(spec)),
  state      TEXT    NOT NULL CHECK (state IN ('pending','running','done','failed','split')),
  error      TEXT    CHECK ((error IS NOT NULL) = (state = 'failed')),
  tries      INTEGER NOT NULL DEFAULT 0,
  row_count  INTEGER NOT NULL DEFAULT 0,
  requests   INTEGER NOT NULL DEFAULT 0,
  elapsed_ms INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX chunk_open ON chunk(query_id, id) WHERE state IN ('pending','running');

-- Directories, each stored once: stems of URIs with their slash, folders of observations, folders on disk.
CREATE TABLE dir (
  id   INTEGER PRIMARY KEY,
  path TEXT NOT NULL UNIQUE
) STRICT;

-- What files have in common, each combination stored once.
CREATE TABLE kind (
  id           INTEGER PRIMARY KEY,
  program      TEXT    NOT NULL,
  instrument   TEXT    NOT NULL,
  level        INTEGER NOT NULL,           -- -2 unknown
  product_type TEXT    NOT NULL,
  suffix       TEXT    NOT NULL,
  rights       TEXT    NOT NULL,
  cal_ver      TEXT    NOT NULL,           -- as the archive lists it
  crds_ctx     TEXT    NOT NULL,
  sdp_ver      TEXT    NOT NULL,
  stale        INTEGER NOT NULL CHECK (stale IN (0,1)),
  UNIQUE (program, instrument, level, product_type, suffix, rights, cal_ver, crds_ctx, sdp_ver, stale)
) STRICT;

-- FITS keywords of finished files but DATE, which differs from file to file; each combination stored once.
CREATE TABLE header (
  id    INTEGER PRIMARY KEY,
  cards TEXT NOT NULL UNIQUE CHECK (json_valid(cards))
) STRICT;

CREATE TABLE run (
  id          INTEGER PRIMARY KEY,
  command     TEXT    NOT NULL,
  host        TEXT    NOT NULL,
  version     TEXT    NOT NULL,
  started_at  INTEGER NOT NULL,
  finished_at INTEGER,
  exit_code   INTEGER CHECK ((exit_code IS NULL) = (finished_at IS NULL)),
  summary     TEXT    CHECK (summary IS NULL OR json_valid(summary))
) STRICT;

-- One row for each URI: stem (a dir that ends in a slash, or '') and name. The CHECKs spell out what IN (…) would say: for a
-- list of more than two SQLite fills a temporary table at each execution, which costs more than the row.
CREATE TABLE file (
  id            INTEGER PRIMARY KEY,
  stem_id       INTEGER NOT NULL REFERENCES dir(id),
  name          TEXT    NOT NULL,
  state         TEXT    NOT NULL CHECK (CASE state WHEN 'planned' THEN 1 WHEN 'pending' THEN 1 WHEN 'running' THEN 1
                  WHEN 'placing' THEN 1 WHEN 'done' THEN 1 WHEN 'failed' THEN 1 WHEN 'waiting' THEN 1 WHEN 'parked' THEN 1
                  WHEN 'lent' THEN 1 ELSE 0 END),
  reason        TEXT    CHECK ((reason IS NOT NULL) = (state = 'failed' OR state = 'waiting' OR state = 'parked')),
  query_id      INTEGER REFERENCES query(id),
  kind_id       INTEGER NOT NULL REFERENCES kind(id),
  obs_dir_id    INTEGER REFERENCES dir(id),  -- obs_id that names the folder
  own           INTEGER NOT NULL DEFAULT 0 CHECK (own IN (0,1)),
  dir_id        INTEGER REFERENCES dir(id) CHECK (dir_id IS NOT NULL OR state IN ('planned','failed')),
  path_hash     INTEGER CHECK ((path_hash IS NULL) = (dir_id IS NULL)),  -- FNV-1a of the lower-cased path
  size_bytes    INTEGER CHECK (size_bytes >= 0),
  exact         INTEGER NOT NULL DEFAULT 0 CHECK (exact IN (0,1)),
  checksum      BLOB    CHECK (length(checksum) = 16),
  release_at    INTEGER,
  ingested_at   INTEGER,
  due_at        INTEGER CHECK (CASE state WHEN 'waiting' THEN due_at IS NOT NULL WHEN 'parked' THEN 1
                                          ELSE due_at IS NULL END),
  run_id        INTEGER REFERENCES run(id) CHECK ((run_id IS NOT NULL) = (state IN ('running','placing'))),
  attempt       INTEGER NOT NULL DEFAULT 0 CHECK (attempt > 0 OR state NOT IN ('running','placing')),
  tries         INTEGER NOT NULL DEFAULT 0,
  checks        INTEGER NOT NULL DEFAULT 0,
  sha256        BLOB    CHECK (length(sha256) = 32 AND (sha256 IS NOT NULL) = (state IN ('placing','done'))),
  md5           BLOB    CHECK (length(md5) = 16),
  proof         TEXT    CHECK ((proof IS NOT NULL) = (state IN ('placing','done'))
                               AND CASE proof WHEN 'manifest' THEN 1 WHEN 'archive' THEN 1 WHEN 'double' THEN 1
                               WHEN 'structure' THEN 1 WHEN 'size' THEN 1 ELSE proof IS NULL END),
  source        TEXT,
  etag          ANY,                         -- 16 bytes when it is 32 hex digits in quotes, else the text sent
  last_modified ANY,                         -- seconds since 1970 when that gives back the text sent, else the text
  header_id     INTEGER REFERENCES header(id),
  header_date   ANY,                         -- milliseconds when that gives back the text, else the text
  done_run_id   INTEGER CHECK ((done_run_id IS NOT NULL) = (state = 'done')),
  finished_at   INTEGER CHECK ((finished_at IS NOT NULL) = (state = 'done')),
  flagged       TEXT,
  detail        TEXT,
  last_sha256   BLOB    CHECK (length(last_sha256) = 32),
  want_sha256   BLOB    CHECK (length(want_sha256) = 32),
  CHECK (state NOT IN ('placing','done') OR (sha256 IS NOT NULL AND md5 IS NOT NULL AND proof IS NOT NULL
                                             AND size_bytes IS NOT NULL))
) STRICT;
-- Statements repeat the condition of a partial index as it is written here; otherwise SQLite does not use it.
CREATE UNIQUE INDEX file_uri     ON file(stem_id, name);
CREATE INDEX file_path           ON file(path_hash)  WHERE path_hash <> 0;
CREATE INDEX file_pending        ON file(id)         WHERE state = 'pending';
CREATE INDEX file_pending_size   ON file(size_bytes) WHERE state = 'pending';
CREATE INDEX file_due            ON file(due_at)     WHERE due_at > 0;
CREATE INDEX file_held           ON file(run_id)     WHERE run_id > 0;
CREATE INDEX file_stopped        ON file(stem_id, name) WHERE reason > '';

-- Bytes on disk of an unfinished file.
CREATE TABLE part (
  file_id       INTEGER PRIMARY KEY REFERENCES file(id),
  token         TEXT    NOT NULL CHECK (token <> ''),
  source        TEXT    NOT NULL,
  boot          TEXT    NOT NULL,
  durable_bytes INTEGER NOT NULL CHECK (durable_bytes >= 0),
  size_bytes    INTEGER CHECK (size_bytes >= 0),
  checksum      BLOB,
  etag          TEXT    NOT NULL,
  last_modified TEXT    NOT NULL,
  http_date     TEXT    NOT NULL
) STRICT;

-- Observations by MAST's number; negative ones are known by name only (from a rebuilt queue).
CREATE TABLE observation (
  obsid      INTEGER PRIMARY KEY,
  obs_id     TEXT    NOT NULL,
  program    TEXT    NOT NULL,
  instrument TEXT    NOT NULL,
  level      INTEGER NOT NULL,
  rights     TEXT    NOT NULL,
  release_at INTEGER
) STRICT;

-- Observations of a query and the chunk that asks for their products; NULL while no chunk does.
CREATE TABLE query_observation (
  query_id INTEGER NOT NULL REFERENCES query(id),
  obsid    INTEGER NOT NULL REFERENCES observation(obsid),
  chunk_id INTEGER REFERENCES chunk(id),
  PRIMARY KEY (query_id, obsid)
) STRICT, WITHOUT ROWID;
CREATE INDEX query_observation_chunk ON query_observation(chunk_id) WHERE chunk_id > 0;

CREATE TABLE file_observation (
  file_id INTEGER NOT NULL,
  obsid   INTEGER NOT NULL,
  PRIMARY KEY (file_id, obsid)
) STRICT, WITHOUT ROWID;

-- Files that a rule left out: counted, and findable by the hash of their URI.
CREATE TABLE rule (
  id        INTEGER PRIMARY KEY,
  query_id  INTEGER NOT NULL REFERENCES query(id),
  name      TEXT    NOT NULL,
  row_count INTEGER NOT NULL DEFAULT 0,
  files     INTEGER NOT NULL DEFAULT 0,
  bytes     INTEGER NOT NULL DEFAULT 0,
  UNIQUE (query_id, name)
) STRICT;
CREATE TABLE omitted (
  uri_hash INTEGER NOT NULL,                 -- FNV-1a of the URI
  rule_id  INTEGER NOT NULL REFERENCES rule(id),
  PRIMARY KEY (uri_hash, rule_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE event (
  id      INTEGER PRIMARY KEY,
  file_id INTEGER REFERENCES file(id),       -- NULL: the campaign
  at      INTEGER NOT NULL,
  kind    TEXT    NOT NULL,
  detail  TEXT    NOT NULL
) STRICT;
CREATE INDEX event_file ON event(file_id);

-- Files of the last group of finishes: their journal lines may miss after a crash.
CREATE TABLE unjournaled (file_id INTEGER PRIMARY KEY) STRICT;

-- Files and bytes by state and reason, kept by the triggers below and, for new rows, by whoever inserts them: a trigger
-- on INSERT would make SQLite journal each statement, at several times the cost of the row.
CREATE TABLE tally (
  state  TEXT    NOT NULL,
  reason TEXT    NOT NULL,
  files  INTEGER NOT NULL,
  bytes  INTEGER NOT NULL,
  PRIMARY KEY (state, reason)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER file_delete AFTER DELETE ON file BEGIN
  UPDATE tally SET files = files - 1, bytes = bytes - ifnull(OLD.size_bytes,0)
    WHERE state = OLD.state AND reason = ifnull(OLD.reason,'');
END;
CREATE TRIGGER file_update AFTER UPDATE OF state, reason, size_bytes ON file
  WHEN OLD.state <> NEW.state OR OLD.reason IS NOT NEW.reason OR OLD.size_bytes IS NOT NEW.size_bytes BEGIN
  UPDATE tally SET files = files - 1, bytes = bytes - ifnull(OLD.size_bytes,0)
    WHERE state = OLD.state AND reason = ifnull(OLD.reason,'');
  INSERT INTO tally VALUES (NEW.state, ifnull(NEW.reason,''), 1, ifnull(NEW.size_bytes,0))
    ON CONFLICT DO UPDATE SET files = files + 1, bytes = bytes + excluded.bytes;
END;

-- AFTER, not BEFORE: after a BEFORE trigger SQLite reads the whole row again. ABORT undoes the statement either way.
CREATE TRIGGER file_move AFTER UPDATE OF state ON file
  WHEN OLD.state <> NEW.state AND 0 = CASE OLD.state
    WHEN 'planned' THEN instr('pending parked failed', NEW.state)
    WHEN 'pending' THEN instr('running parked lent', NEW.state)
    WHEN 'running' THEN instr('placing pending failed waiting parked', NEW.state)
    WHEN 'placing' THEN instr('done pending failed waiting parked', NEW.state)
    WHEN 'done'    THEN instr('pending', NEW.state)
    WHEN 'failed'  THEN instr('pending planned', NEW.state)
    WHEN 'waiting' THEN instr('pending lent', NEW.state)
    WHEN 'parked'  THEN instr('pending lent', NEW.state)
    WHEN 'lent'    THEN instr('pending done failed waiting parked', NEW.state)
    ELSE 0 END
BEGIN
  SELECT RAISE(ABORT, 'illegal move of a file from one state to another');
END;

-- Every file with all that is known of it, readable: times as ISO 8601 UTC text, digests as lower-case hex.
CREATE VIEW v_files AS
SELECT f.id, s.path || f.name AS uri,
       CASE d.path WHEN '' THEN f.name ELSE d.path || '/' || f.name END AS path,
       f.state, f.reason, f.detail, f.size_bytes, f.exact,
       lower(hex(f.checksum)) AS archive_checksum, lower(hex(f.sha256)) AS sha256, lower(hex(f.md5)) AS md5,
       f.proof, f.flagged, k.program, k.instrument, nullif(k.level,-2) AS level, k.product_type, k.suffix, k.rights,
       k.cal_ver, k.crds_ctx, k.sdp_ver, k.stale,
       h.cards AS header,
       CASE typeof(f.header_date) WHEN 'integer' THEN strftime('%Y-%m-%dT%H:%M:%f', f.header_date/1000.0, 'unixepoch')
            ELSE f.header_date END AS header_date, f.source,
       CASE typeof(f.etag) WHEN 'blob' THEN '"' || lower(hex(f.etag)) || '"' ELSE f.etag END AS etag,
       strftime('%Y-%m-%dT%H:%M:%fZ', f.release_at/1000.0, 'unixepoch')  AS release_at,
       strftime('%Y-%m-%dT%H:%M:%fZ', f.ingested_at/1000.0, 'unixepoch') AS ingested_at,
       strftime('%Y-%m-%dT%H:%M:%fZ', f.due_at/1000.0, 'unixepoch')      AS due_at,
       strftime('%Y-%m-%dT%H:%M:%fZ', f.finished_at/1000.0, 'unixepoch') AS finished_at,
       f.attempt, f.tries, f.checks, f.query_id, coalesce(f.run_id, f.done_run_id) AS run_id
FROM file f
JOIN dir s ON s.id = f.stem_id
JOIN kind k ON k.id = f.kind_id
LEFT JOIN dir d ON d.id = f.dir_id
LEFT JOIN header h ON h.id = f.header_id;

-- What is missing and why: failed, waiting and parked files.
CREATE VIEW v_failures AS
SELECT uri, path, state, reason, detail, due_at, attempt, tries, size_bytes, program, instrument, id
FROM v_files WHERE reason IS NOT NULL;

-- Files and bytes finished, by run and UTC minute.
CREATE VIEW v_throughput AS
SELECT done_run_id AS run_id, strftime('%Y-%m-%dT%H:%MZ', finished_at/1000, 'unixepoch') AS minute,
       count(*) AS files, sum(size_bytes) AS bytes
FROM file WHERE state = 'done' GROUP BY 1, 2;

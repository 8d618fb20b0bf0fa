-- Hashes that keep neighbours together, moves out of 'planned' that are counted once for many, and observations to ask for.

-- path_hash is nearHash of the lower-cased path from now on (migrate.go computes those that are stored): files of one folder
-- lie together in the index. It is negative while the path is only proposed: of a planned file, until it is offered.
DROP INDEX file_path;
CREATE INDEX file_path ON file(path_hash) WHERE path_hash > 0;

-- omitted.uri_hash is nearHash of the URI for new rows; those of before cannot be computed, so readers look for both.

-- Whoever moves files out of 'planned' counts them, as those do who insert them: two statements a row cost as much as the row.
DROP TRIGGER file_update;
CREATE TRIGGER file_update AFTER UPDATE OF state, reason, size_bytes ON file
  WHEN (OLD.state <> 'planned' OR NEW.state = 'planned')
    AND (OLD.state <> NEW.state OR OLD.reason IS NOT NEW.reason OR OLD.size_bytes IS NOT NEW.size_bytes) BEGIN
  UPDATE tally SET files = files - 1, bytes = bytes - ifnull(OLD.size_bytes,0)
    WHERE state = OLD.state AND reason = ifnull(OLD.reason,'');
  INSERT INTO tally VALUES (NEW.state, ifnull(NEW.reason,''), 1, ifnull(NEW.size_bytes,0))
    ON CONFLICT DO UPDATE SET files = files + 1, bytes = bytes + excluded.bytes;
END;

-- Without it the next observations of a query are found behind all that were asked for already.
CREATE INDEX query_observation_free ON query_observation(query_id, obsid) WHERE chunk_id IS NULL;

DROP VIEW v_failures;
DROP VIEW v_files;
-- Every file with all that is known of it, readable: times as ISO 8601 UTC text, digests as lower-case hex. The path is NULL
-- until a file is offered.
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
LEFT JOIN dir d ON d.id = f.dir_id AND f.path_hash > 0
LEFT JOIN header h ON h.id = f.header_id;

-- What is missing and why: failed, waiting and parked files.
CREATE VIEW v_failures AS
SELECT uri, path, state, reason, detail, due_at, attempt, tries, size_bytes, program, instrument, id
FROM v_files WHERE reason IS NOT NULL;

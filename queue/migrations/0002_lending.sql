-- Rounds of a batch system's tasks, and which file is in which shard of them.

CREATE TABLE round (
  id         INTEGER PRIMARY KEY,
  started_at INTEGER NOT NULL,
  shards     INTEGER NOT NULL CHECK (shards > 0),
  spec       TEXT    NOT NULL CHECK (json_valid(spec)),
  job        TEXT,                          -- the batch system's id; NULL until it is known
  closed_at  INTEGER                        -- when its last file was back
) STRICT;

CREATE TABLE loan (
  file_id INTEGER PRIMARY KEY REFERENCES file(id),
  round   INTEGER NOT NULL REFERENCES round(id),
  shard   INTEGER NOT NULL CHECK (shard >= 0)
) STRICT;
CREATE INDEX loan_shard ON loan(round, shard);

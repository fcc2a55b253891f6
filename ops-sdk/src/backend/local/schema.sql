-- The schema of the local store, version 2 (PRAGMA user_version). Any SQLite tool can open it.
--
-- Times are counted from the Unix epoch, in UTC: `_ms` in milliseconds, `_ns` in nanoseconds. A record is told apart
-- from every other by `process_id` and `seq`, so writing it twice changes nothing. Columns are only ever added.

CREATE TABLE meta (
  key TEXT PRIMARY KEY,
  value TEXT NOT NULL
) WITHOUT ROWID;

-- The processes that wrote here; `process` is sixteen hexadecimal digits, drawn when the process began to record.
CREATE TABLE processes (
  id INTEGER PRIMARY KEY,
  process TEXT NOT NULL UNIQUE
);

-- What is measured. `dimensions` is one JSON object of texts, its names in order of their bytes, without spaces.
CREATE TABLE series (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('counter', 'gauge', 'histogram')),
  unit TEXT NOT NULL,
  resolution_s INTEGER NOT NULL,
  dimensions TEXT NOT NULL,
  UNIQUE (name, kind, unit, resolution_s, dimensions)
);

-- One series over one window. Of a counter the one sample is what was counted: `count` is 1, and `sum`, `min`, `max`
-- and `last` are the same number. `last` is the value that a gauge was set to last. Percentiles and `buckets` are
-- those of histograms. `buckets` holds what percentiles over several windows are made of: for each bucket that holds
-- values, in rising order, its number less that of the bucket before it (zigzag) and its count, both as LEB128.
-- `exemplar` is the correlation_id of the log events of the largest value, if that was observed within a correlation.
-- Bucket 0 is zero; bucket n > 0 begins at 2^(e - 32) * (1 + m / 128), where n - 1 = 128 e + m; bucket -n mirrors it.
CREATE TABLE points (
  id INTEGER PRIMARY KEY,
  series_id INTEGER NOT NULL REFERENCES series (id),
  time_ms INTEGER NOT NULL,
  window_ms INTEGER NOT NULL,
  count INTEGER NOT NULL,
  sum NUMERIC NOT NULL,
  min NUMERIC NOT NULL,
  max NUMERIC NOT NULL,
  last NUMERIC,
  p50 NUMERIC,
  p90 NUMERIC,
  p95 NUMERIC,
  p99 NUMERIC,
  p999 NUMERIC,
  buckets BLOB,
  process_id INTEGER NOT NULL REFERENCES processes (id),
  seq INTEGER NOT NULL,
  exemplar TEXT,
  UNIQUE (process_id, seq)
);
CREATE INDEX points_by_series ON points (series_id, time_ms);
CREATE INDEX points_by_time ON points (time_ms);

-- Log events. A row's `id` is greater than that of every row before it, also of rows that are gone.
CREATE TABLE logs (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  time_ns INTEGER NOT NULL,
  level INTEGER NOT NULL,
  level_name TEXT AS (CASE level WHEN 1 THEN 'ERROR' WHEN 2 THEN 'WARN' WHEN 3 THEN 'INFO' WHEN 4 THEN 'DEBUG' ELSE 'TRACE' END),
  target TEXT NOT NULL,
  message TEXT NOT NULL,
  fields TEXT NOT NULL,
  file TEXT NOT NULL,
  line INTEGER NOT NULL,
  process_id INTEGER NOT NULL REFERENCES processes (id),
  seq INTEGER NOT NULL,
  UNIQUE (process_id, seq)
);
CREATE INDEX logs_by_time ON logs (time_ns);
CREATE INDEX logs_by_level ON logs (level);

-- Full text of the log events: SELECT * FROM v_logs WHERE id IN (SELECT rowid FROM logs_fts WHERE logs_fts MATCH 'timeout').
CREATE VIRTUAL TABLE logs_fts USING fts5 (message, fields, target, content = 'logs', content_rowid = 'id');
CREATE TRIGGER logs_fts_insert AFTER INSERT ON logs BEGIN
  INSERT INTO logs_fts (rowid, message, fields, target) VALUES (new.id, new.message, new.fields, new.target);
END;
CREATE TRIGGER logs_fts_delete AFTER DELETE ON logs BEGIN
  INSERT INTO logs_fts (logs_fts, rowid, message, fields, target) VALUES ('delete', old.id, old.message, old.fields, old.target);
END;
CREATE TRIGGER logs_fts_update AFTER UPDATE ON logs BEGIN
  INSERT INTO logs_fts (logs_fts, rowid, message, fields, target) VALUES ('delete', old.id, old.message, old.fields, old.target);
  INSERT INTO logs_fts (rowid, message, fields, target) VALUES (new.id, new.message, new.fields, new.target);
END;

-- Audit, configuration and check records; `body` is a JSON object.
CREATE TABLE records (
  id INTEGER PRIMARY KEY,
  signal TEXT NOT NULL,
  time_ns INTEGER NOT NULL,
  body TEXT NOT NULL,
  process_id INTEGER NOT NULL REFERENCES processes (id),
  seq INTEGER NOT NULL,
  UNIQUE (process_id, seq)
);
CREATE INDEX records_by_time ON records (time_ns);

-- The books of each process, for each of its backends and kinds of record, as it last wrote them:
-- recorded = delivered + pending + dead_lettered + the sum of `dropped`, a JSON object of reasons and numbers.
CREATE TABLE ledger (
  process_id INTEGER NOT NULL REFERENCES processes (id),
  backend TEXT NOT NULL,
  signal TEXT NOT NULL,
  recorded INTEGER NOT NULL,
  delivered INTEGER NOT NULL,
  pending INTEGER NOT NULL,
  dead_lettered INTEGER NOT NULL,
  dropped TEXT NOT NULL,
  updated_ms INTEGER NOT NULL,
  PRIMARY KEY (process_id, backend, signal)
) WITHOUT ROWID;

-- Points with the names of their series and their times as text.
CREATE VIEW v_points AS
SELECT p.id, strftime('%Y-%m-%dT%H:%M:%fZ', p.time_ms / 1000.0, 'unixepoch') AS time, s.name, s.kind, s.unit,
  s.dimensions, p.window_ms, p.count, p.sum, p.min, p.max, p.last, p.p50, p.p90, p.p95, p.p99, p.p999, p.exemplar
FROM points p JOIN series s ON s.id = p.series_id;

-- Log events with their times as text and their ids as other backends write them.
CREATE VIEW v_logs AS
SELECT l.id, strftime('%Y-%m-%dT%H:%M:%fZ', l.time_ns / 1e9, 'unixepoch') AS time, l.level_name AS level, l.target,
  l.message, l.fields, l.file || ':' || l.line AS source, r.process || '-' || l.seq AS record_id
FROM logs l JOIN processes r ON r.id = l.process_id;

-- What #[instrumented] functions did: calls, errors, time spent. `ops stats` adds percentiles over all windows.
CREATE VIEW v_functions AS
SELECT json_extract(s.dimensions, '$.Function') AS function,
  CAST(total(p.sum) FILTER (WHERE s.name = 'calls') AS INTEGER) AS calls,
  CAST(total(p.sum) FILTER (WHERE s.name = 'errors') AS INTEGER) AS errors,
  round(total(p.sum) FILTER (WHERE s.name = 'duration'), 3) AS total_ms,
  max(p.max) FILTER (WHERE s.name = 'duration') AS max_ms
FROM series s JOIN points p ON p.series_id = s.id
WHERE s.name IN ('calls', 'errors', 'duration') AND json_extract(s.dimensions, '$.Function') IS NOT NULL
GROUP BY 1;

-- The books with the processes that keep them.
CREATE VIEW v_ledger AS
SELECT r.process, l.backend, l.signal, l.recorded, l.delivered, l.pending, l.dead_lettered, l.dropped,
  strftime('%Y-%m-%dT%H:%M:%fZ', l.updated_ms / 1000.0, 'unixepoch') AS updated
FROM ledger l JOIN processes r ON r.id = l.process_id;

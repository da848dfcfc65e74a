/** `metric_series`: what was ever on a target's metrics page, `metric_scrapes`: one row per page kept, ids and values packed. */
export const seriesSchema = `CREATE TABLE metric_series (
     id INTEGER PRIMARY KEY AUTOINCREMENT,
     target TEXT NOT NULL,
     name TEXT NOT NULL,
     key TEXT NOT NULL,
     type TEXT NOT NULL,
     last_ms INTEGER NOT NULL,
     series TEXT NOT NULL
   ) STRICT;
   CREATE UNIQUE INDEX metric_series_by_key ON metric_series (target, key, type);
   CREATE TABLE metric_scrapes (
     target TEXT NOT NULL,
     at_ms INTEGER NOT NULL,
     started_s REAL NOT NULL,
     samples BLOB NOT NULL,
     PRIMARY KEY (target, at_ms)
   ) STRICT, WITHOUT ROWID;`;

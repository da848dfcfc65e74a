/** Rows go with their profile, by a trigger: source text is nowhere else in the data directory, and is gone when the profile is. */
export const sourceSchema = `CREATE TABLE profile_sources (
     profile_id TEXT PRIMARY KEY,
     content BLOB NOT NULL
   ) STRICT;
   CREATE TRIGGER profile_sources_go_with_their_profile AFTER DELETE ON profiles
     BEGIN DELETE FROM profile_sources WHERE profile_id = OLD.id; END;`;

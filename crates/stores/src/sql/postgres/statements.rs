//! What is asked of the database, one statement a verb.
//!
//! A statement is a transaction of its own, so it is done whole or not at all also where nobody waits for its answer,
//! and many can be on their way on one connection.

/// The statements. Each is prepared once a connection, when it is first needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Statement {
    Load,
    Create,
    Update,
    Login,
    Delete,
    Touch,
    TouchMany,
    Sweep,
    SweepNotBefores,
    SweepReplays,
    SweepEntries,
    Epoch,
    List(Reach),
    Live(Reach),
    Revoke,
    Purge(Reach),
    FirstSeen,
    Get,
    Entries,
    Put,
    Revision,
    Settle,
}

/// Which index leads to the sessions of a scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    All,
    App,
    Subject,
    SubjectInApp,
}

/// How many statements there are.
pub(super) const COUNT: usize = 31;

impl Statement {
    /// Its place among the prepared ones of a connection.
    pub(super) fn index(self) -> usize {
        match self {
            Self::Load => 0,
            Self::Create => 1,
            Self::Update => 2,
            Self::Login => 3,
            Self::Delete => 4,
            Self::Touch => 5,
            Self::TouchMany => 6,
            Self::Sweep => 7,
            Self::SweepNotBefores => 8,
            Self::SweepReplays => 9,
            Self::SweepEntries => 10,
            Self::Epoch => 11,
            Self::Revoke => 12,
            Self::FirstSeen => 13,
            Self::Get => 14,
            Self::Entries => 15,
            Self::Put => 16,
            Self::Revision => 17,
            Self::List(reach) => 18 + reach as usize,
            Self::Live(reach) => 22 + reach as usize,
            Self::Purge(reach) => 26 + reach as usize,
            Self::Settle => 30,
        }
    }

    /// Its text for the schema called `schema`.
    pub(super) fn sql(self, schema: &str) -> String {
        let text = match self {
            Self::Load => LOAD,
            Self::Create => CREATE,
            Self::Update => UPDATE,
            Self::Login => LOGIN,
            Self::Delete => DELETE,
            Self::Touch => TOUCH,
            Self::TouchMany => TOUCH_MANY,
            Self::Sweep => SWEEP,
            Self::SweepNotBefores => SWEEP_NOT_BEFORES,
            Self::SweepReplays => SWEEP_REPLAYS,
            Self::SweepEntries => SWEEP_ENTRIES,
            Self::Epoch => "SELECT epoch FROM {schema}.clock",
            Self::Revoke => REVOKE,
            Self::FirstSeen => FIRST_SEEN,
            Self::Get => GET,
            Self::Entries => ENTRIES,
            Self::Put => PUT,
            Self::Revision => REVISION,
            Self::Settle => SETTLE,
            Self::List(reach) => {
                return expand(&LIST.replace("{scope}", reach.condition()), schema);
            }
            Self::Live(reach) => {
                return expand(&LIVE.replace("{scope}", reach.condition()), schema);
            }
            Self::Purge(reach) => {
                return expand(&PURGE.replace("{scope}", reach.condition()), schema);
            }
        };
        expand(text, schema)
    }
}

impl Reach {
    /// What a session of the scope fulfils; $1 is the subject and $2 the application. Each names both, so that all
    /// take the same parameters.
    fn condition(self) -> &'static str {
        match self {
            Self::All => "$1::text = '' AND $2::text = ''",
            Self::App => "$1::text = '' AND s.app = $2 AND s.app <> ''",
            Self::Subject => "s.subject = $1 AND s.subject <> '' AND $2::text = ''",
            Self::SubjectInApp => "s.subject = $1 AND s.subject <> '' AND s.app = $2",
        }
    }
}

/// Fills in what statements and functions share.
pub(super) fn expand(text: &str, schema: &str) -> String {
    let mut out = String::with_capacity(text.len() * 2);
    let mut rest = text;
    while let Some(start) = rest.find('{') {
        let Some(len) = rest[start..].find('}') else {
            break;
        };
        out.push_str(&rest[..start]);
        let mut words = rest[start + 1..start + len].split(' ');
        let word = words.next().unwrap_or_default();
        let (first, second) = (
            words.next().unwrap_or_default(),
            words.next().unwrap_or_default(),
        );
        match word {
            "schema" => out.push_str(schema),
            "now" => out.push_str(NOW),
            "covering" => out.push_str(&covering(schema, first, second)),
            "live" => {
                let at = second.replace("now+", &format!("{NOW} + "));
                let covering =
                    covering(schema, &format!("{first}.subject"), &format!("{first}.app"));
                out.push_str(&format!(
                    "least({first}.idle_deadline, {first}.fixed_deadline) > {at} \
                     AND {first}.admitted >= {covering}"
                ));
            }
            "lock" => out.push_str(&lock(schema).to_string()),
            other => unreachable!("no such piece of a statement: {other}"),
        }
        rest = &rest[start + len + 1..];
    }
    out.push_str(rest);
    out
}

/// The latest not-before that covers a session of this subject in this application.
fn covering(schema: &str, subject: &str, app: &str) -> String {
    format!(
        "coalesce((SELECT max(n.epoch) FROM {schema}.not_before n \
         WHERE n.subject IN ('', {subject}) AND n.app IN ('', {app})), 0)"
    )
}

/// Advisory locks are the whole database's: each schema begins its own from another number.
pub(super) fn lock(schema: &str) -> i64 {
    i64::from(crc32fast::hash(schema.as_bytes()))
}

/// The server's time in milliseconds. The session's time zone has no say in it.
const NOW: &str = "floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint";

// The second look costs as much as asking first whether anybody was revoked at all, and less where somebody was.
const LOAD: &str = "\
    SELECT s.record, s.crc, s.last_seen, s.idle_deadline, clock_timestamp(), {covering s.subject s.app} \
    FROM {schema}.sessions s WHERE s.id = $1";

const CREATE: &str = "\
    SELECT outcome, ended FROM {schema}.create_1(\
        $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)";

const UPDATE: &str = "\
    UPDATE {schema}.sessions s SET version = $4, crc = $5, record = $6, \
        last_seen = greatest(s.last_seen, $7), idle_deadline = greatest(s.idle_deadline, $8) \
    WHERE s.id = $1 AND s.version = $2 AND s.crc = $3 AND {live s now+$9} \
    RETURNING s.last_seen, s.idle_deadline";

const LOGIN: &str = "\
    SELECT outcome, ended, seen, idle FROM {schema}.login_1(\
        $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)";

const DELETE: &str = "\
    WITH gone AS (DELETE FROM {schema}.sessions s WHERE s.id = $1 \
        RETURNING s.id, s.record, s.crc, s.last_seen, s.idle_deadline) \
    SELECT gone.record, gone.crc, gone.last_seen, gone.idle_deadline, \
        pg_notify($2, 'session ' || encode(gone.id, 'hex')) IS NULL \
    FROM gone";

const TOUCH: &str = "\
    UPDATE {schema}.sessions s SET \
        last_seen = greatest(s.last_seen, $2), idle_deadline = greatest(s.idle_deadline, $3) \
    WHERE s.id = $1 AND {live s now+$4} \
    RETURNING s.record, s.crc, s.last_seen, s.idle_deadline";

// Rows that somebody is writing are passed over, so this never waits; they are written one by one. A touch that was
// computed by the timeouts of an older security block is void.
const TOUCH_MANY: &str = "\
    WITH noted AS (\
        SELECT s.id, n.security_version, n.last_seen, n.idle_deadline \
        FROM unnest($1::bytea[], $2::bigint[], $3::bigint[], $4::bigint[]) \
            AS n (id, security_version, last_seen, idle_deadline) \
        JOIN {schema}.sessions s ON s.id = n.id \
        ORDER BY s.id FOR NO KEY UPDATE OF s SKIP LOCKED\
    ), written AS (\
        UPDATE {schema}.sessions s SET \
            last_seen = greatest(s.last_seen, noted.last_seen), \
            idle_deadline = greatest(s.idle_deadline, noted.idle_deadline) \
        FROM noted \
        WHERE s.id = noted.id AND s.security_version = noted.security_version \
    ) SELECT noted.id FROM noted";

// Locked rows are in use: a later sweep looks at them. What a touch kept alive is put back for its new deadline.
const SWEEP: &str = "\
    WITH t AS MATERIALIZED (SELECT {now} + $1 AS now), \
    due AS MATERIALIZED (\
        SELECT s.id, s.subject, least(s.idle_deadline, s.fixed_deadline) AS deadline \
        FROM {schema}.sessions s WHERE s.sweep_at <= (SELECT t.now FROM t) \
        ORDER BY s.sweep_at LIMIT $2 FOR UPDATE OF s SKIP LOCKED\
    ), gone AS (\
        DELETE FROM {schema}.sessions s USING due, t WHERE s.id = due.id AND due.deadline <= t.now \
        RETURNING s.id\
    ), kept AS (\
        UPDATE {schema}.sessions s SET sweep_at = due.deadline FROM due, t \
        WHERE s.id = due.id AND due.deadline > t.now\
    ) SELECT due.id, due.subject, due.deadline, due.deadline <= t.now FROM due, t";

const SWEEP_NOT_BEFORES: &str = "\
    DELETE FROM {schema}.not_before WHERE (subject, app) IN (\
        SELECT n.subject, n.app FROM {schema}.not_before n WHERE n.until <= {now} + $1 \
        ORDER BY n.until LIMIT $2 FOR UPDATE SKIP LOCKED) RETURNING 1";

const SWEEP_REPLAYS: &str = "\
    DELETE FROM {schema}.replay WHERE key IN (\
        SELECT r.key FROM {schema}.replay r WHERE r.until <= {now} + $1 \
        ORDER BY r.until LIMIT $2 FOR UPDATE SKIP LOCKED) RETURNING 1";

const SWEEP_ENTRIES: &str = "\
    DELETE FROM {schema}.registry WHERE (kind, name) IN (\
        SELECT r.kind, r.name FROM {schema}.registry r \
        WHERE r.expires <= {now} + $1 AND r.expires < 9223372036854775807 \
        ORDER BY r.expires LIMIT $2 FOR UPDATE SKIP LOCKED) RETURNING 1";

const LIST: &str = "\
    SELECT s.id, s.record, s.crc, s.last_seen, s.idle_deadline \
    FROM {schema}.sessions s, (SELECT {now} + $5 AS now) t \
    WHERE {scope} AND s.id > $3 AND {live s t.now} ORDER BY s.id LIMIT $4";

// Whether a session was live before the revocation that raised the clock from $6 to $5 and the scope's not-before
// from $7: others count as far as they were set before it.
const LIVE: &str = "\
    SELECT s.id FROM {schema}.sessions s, (SELECT {now} + $8 AS now) t \
    WHERE {scope} AND s.admitted < $5 AND s.id > $3 \
        AND least(s.idle_deadline, s.fixed_deadline) > t.now \
        AND s.admitted >= coalesce((SELECT max(CASE \
            WHEN n.subject = $1 AND n.app = $2 THEN $7::bigint ELSE least(n.epoch, $6::bigint) END) \
            FROM {schema}.not_before n \
            WHERE n.subject IN ('', s.subject) AND n.app IN ('', s.app)), 0) \
    ORDER BY s.id LIMIT $4";

const PURGE: &str = "\
    WITH t AS MATERIALIZED (SELECT {now} + $8 AS now), \
    due AS MATERIALIZED (\
        SELECT s.id, least(s.idle_deadline, s.fixed_deadline) > (SELECT t.now FROM t) \
            AND s.admitted >= coalesce((SELECT max(CASE \
                WHEN n.subject = $1 AND n.app = $2 THEN $7::bigint ELSE least(n.epoch, $6::bigint) END) \
                FROM {schema}.not_before n \
                WHERE n.subject IN ('', s.subject) AND n.app IN ('', s.app)), 0) AS live \
        FROM {schema}.sessions s WHERE {scope} AND s.admitted < $5 AND s.id > $3 \
        ORDER BY s.id LIMIT $4 FOR UPDATE OF s\
    ), gone AS (\
        DELETE FROM {schema}.sessions s USING due WHERE s.id = due.id RETURNING s.id\
    ) SELECT due.id, due.live FROM due ORDER BY due.id";

const REVOKE: &str = "\
    SELECT outcome, raised, epoch_before, not_before_before FROM {schema}.revoke_1(\
        $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";

const FIRST_SEEN: &str = "\
    INSERT INTO {schema}.replay AS r (key, until) VALUES ($1, $2) \
    ON CONFLICT (key) DO UPDATE SET until = excluded.until WHERE r.until <= {now} + $3 \
    RETURNING 1";

const GET: &str = "\
    SELECT r.name, r.version, r.value, r.crc, r.expires FROM {schema}.registry r \
    WHERE r.kind = $1 AND r.name = $2 AND r.expires > {now} + $3";

const ENTRIES: &str = "\
    SELECT r.name, r.version, r.value, r.crc, r.expires FROM {schema}.registry r \
    WHERE r.kind = $1 AND r.name > $2 AND r.expires > {now} + $3 ORDER BY r.name LIMIT $4";

const PUT: &str = "\
    SELECT done, version, value, crc, expires FROM {schema}.put_1(\
        $1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";

const REVISION: &str = "\
    SELECT coalesce(sum(r.count), 0)::bigint FROM {schema}.revisions r WHERE r.kind = $1";

// A commit that waits for the disk takes everything along that was committed before it.
const SETTLE: &str = "UPDATE {schema}.caps SET latest = latest";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_statement_has_a_place_of_its_own() {
        use Statement as S;
        let scoped = [Reach::All, Reach::App, Reach::Subject, Reach::SubjectInApp];
        let scoped = scoped
            .into_iter()
            .flat_map(|r| [S::List(r), S::Live(r), S::Purge(r)]);
        let others = [
            S::Load,
            S::Create,
            S::Update,
            S::Login,
            S::Delete,
            S::Touch,
            S::TouchMany,
            S::Sweep,
            S::SweepNotBefores,
            S::SweepReplays,
            S::SweepEntries,
            S::Epoch,
            S::Revoke,
            S::FirstSeen,
            S::Get,
            S::Entries,
            S::Put,
            S::Revision,
            S::Settle,
        ];
        let mut places: Vec<_> = scoped.chain(others).map(S::index).collect();
        places.sort_unstable();
        assert_eq!(places, (0..COUNT).collect::<Vec<_>>());
    }

    #[test]
    fn pieces_are_filled_in() {
        assert_eq!(
            expand("SELECT {schema}.a + {now}", "own"),
            format!("SELECT own.a + {NOW}")
        );
        let live = expand("{live s at}", "own");
        assert!(
            live.starts_with("least(s.idle_deadline, s.fixed_deadline) > at AND"),
            "{live}"
        );
        assert!(live.contains("n.subject IN ('', s.subject)"), "{live}");
    }
}

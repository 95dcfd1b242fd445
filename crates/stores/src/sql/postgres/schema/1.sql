-- Version 1. Times are milliseconds since 1970; '' is no subject, no application, or any, since no name is empty.

CREATE TABLE {schema}.sessions (
    id bytea PRIMARY KEY,
    version bigint NOT NULL,
    security_version bigint NOT NULL,
    admitted bigint NOT NULL,
    created_at bigint NOT NULL,
    -- A touch writes these two alone; what the record says of them is older.
    last_seen bigint NOT NULL,
    idle_deadline bigint NOT NULL,
    -- The earlier of absolute deadline and hard cap.
    fixed_deadline bigint NOT NULL,
    -- When a sweep looks at it: never later than its deadline. A touch leaves it, so that no index changes.
    sweep_at bigint NOT NULL,
    -- CRC-32 of id and record.
    crc bigint NOT NULL,
    app text COLLATE "C" NOT NULL,
    subject text COLLATE "C" NOT NULL,
    record bytea NOT NULL
    -- Room in each page, so that a new version of a row stays in it and no index changes (HOT).
) WITH (fillfactor = 75);
CREATE INDEX sessions_subject ON {schema}.sessions (subject, app, id) WHERE subject <> '';
CREATE INDEX sessions_app ON {schema}.sessions (app, id) WHERE app <> '';
CREATE INDEX sessions_sweep_at ON {schema}.sessions (sweep_at);

-- The revocation clock.
CREATE TABLE {schema}.clock (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    epoch bigint NOT NULL
);
INSERT INTO {schema}.clock (epoch) VALUES (0);

-- No session has a later hard cap. Raised by days, so that few logins write it.
CREATE TABLE {schema}.caps (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    latest bigint NOT NULL
);
INSERT INTO {schema}.caps (latest) VALUES (0);

CREATE TABLE {schema}.not_before (
    subject text COLLATE "C" NOT NULL,
    app text COLLATE "C" NOT NULL,
    epoch bigint NOT NULL,
    -- From then on nobody who was admitted before can live.
    until bigint NOT NULL,
    PRIMARY KEY (subject, app)
);
CREATE INDEX not_before_until ON {schema}.not_before (until);

CREATE TABLE {schema}.registry (
    kind text COLLATE "C" NOT NULL,
    -- Bytes: a name may have characters that a text may not.
    name bytea NOT NULL,
    version bigint NOT NULL,
    -- The largest number is never.
    expires bigint NOT NULL,
    -- CRC-32 of kind, name and value.
    crc bigint NOT NULL,
    value bytea NOT NULL,
    PRIMARY KEY (kind, name)
);
CREATE INDEX registry_expires ON {schema}.registry (expires) WHERE expires < 9223372036854775807;
-- One for all names: a version never comes again, also after removal.
CREATE SEQUENCE {schema}.registry_version;

-- How many writes each kind has seen: the sum of its rows. Several, so that writers rarely wait for each other; a sum
-- of what is committed, so that no write is missed that was numbered early and committed late.
CREATE TABLE {schema}.revisions (
    kind text COLLATE "C" NOT NULL,
    slot integer NOT NULL,
    count bigint NOT NULL,
    PRIMARY KEY (kind, slot)
) WITH (fillfactor = 25);

CREATE TABLE {schema}.replay (
    key bytea PRIMARY KEY,
    until bigint NOT NULL
);
CREATE INDEX replay_until ON {schema}.replay (until);

-- Functions are for what takes several statements in one transaction. Their names end in the version of the schema
-- that brought them, and they are never replaced: an older node calls the older one.
--
-- Locks are taken in one order: caps, clock, not_before, the subject's advisory lock, then rows of sessions by id.

-- The oldest sessions that have to end so that p_id may belong to p_subject; null where one more is refused.
-- The caller holds the subject's lock.
CREATE FUNCTION {schema}.too_many_1(
    p_id bytea, p_subject text, p_app text, p_max bigint, p_deny boolean, p_now bigint
) RETURNS bytea[] LANGUAGE plpgsql AS $$
DECLARE
    others bytea[];
    over bigint;
BEGIN
    SELECT array_agg(s.id ORDER BY s.created_at, s.id) INTO others
    FROM {schema}.sessions s
    WHERE s.subject = p_subject AND s.subject <> '' AND s.app = p_app AND s.id <> p_id
        AND {live s p_now};
    over := coalesce(cardinality(others), 0) + 1 - p_max;
    IF over <= 0 THEN
        RETURN ARRAY[]::bytea[];
    ELSIF p_deny OR p_max = 0 THEN
        RETURN NULL;
    END IF;
    RETURN others[1:over];
END $$;

-- Ends sessions whose rows the caller has locked, as far as they are still the subject's; answers which.
CREATE FUNCTION {schema}.end_oldest_1(
    p_ids bytea[], p_subject text, p_app text, p_channel text
) RETURNS bytea[] LANGUAGE plpgsql AS $$
DECLARE
    ended bytea[];
BEGIN
    IF cardinality(p_ids) = 0 THEN
        RETURN p_ids;
    END IF;
    WITH gone AS (
        DELETE FROM {schema}.sessions s
        WHERE s.id = ANY (p_ids) AND s.subject = p_subject AND s.app = p_app
        RETURNING s.id
    ) SELECT coalesce(array_agg(gone.id), ARRAY[]::bytea[]) INTO ended FROM gone;
    PERFORM pg_notify(p_channel, 'session ' || encode(one, 'hex')) FROM unnest(ended) one;
    RETURN ended;
END $$;

-- outcome: 0 done, 2 revoked, 3 too many sessions, 4 the id is taken.
CREATE FUNCTION {schema}.create_1(
    p_id bytea, p_version bigint, p_security_version bigint, p_admitted bigint, p_created_at bigint,
    p_last_seen bigint, p_idle_deadline bigint, p_fixed_deadline bigint, p_crc bigint, p_app text, p_subject text,
    p_record bytea, p_hard_cap bigint, p_max bigint, p_deny boolean, p_offset bigint, p_channel text,
    OUT outcome integer, OUT ended bytea[]
) LANGUAGE plpgsql AS $$
DECLARE
    at bigint;
BEGIN
    ended := ARRAY[]::bytea[];
    IF p_hard_cap > (SELECT latest FROM {schema}.caps) THEN
        UPDATE {schema}.caps SET latest = greatest(latest, p_hard_cap + 86400000);
    END IF;
    IF p_max IS NOT NULL THEN
        PERFORM pg_advisory_xact_lock(hashtextextended(p_subject || chr(10) || p_app, {lock}));
    END IF;
    at := {now} + p_offset;
    IF EXISTS (
        SELECT FROM {schema}.sessions s
        WHERE s.id = p_id AND least(s.idle_deadline, s.fixed_deadline) > at
    ) THEN
        outcome := 4;
        RETURN;
    END IF;
    IF p_admitted < {covering p_subject p_app} THEN
        outcome := 2;
        RETURN;
    END IF;
    IF p_max IS NOT NULL THEN
        ended := {schema}.too_many_1(p_id, p_subject, p_app, p_max, p_deny, at);
        IF ended IS NULL THEN
            outcome := 3;
            RETURN;
        END IF;
        IF cardinality(ended) > 0 THEN
            PERFORM FROM {schema}.sessions s WHERE s.id = ANY (ended || p_id) ORDER BY s.id FOR UPDATE;
        END IF;
    END IF;
    -- What is there under this id is past its deadline and not yet swept.
    INSERT INTO {schema}.sessions AS s (
        id, version, security_version, admitted, created_at, last_seen, idle_deadline, fixed_deadline, sweep_at, crc,
        app, subject, record
    ) VALUES (
        p_id, p_version, p_security_version, p_admitted, p_created_at, p_last_seen, p_idle_deadline,
        p_fixed_deadline, least(p_idle_deadline, p_fixed_deadline), p_crc, p_app, p_subject, p_record
    )
    ON CONFLICT (id) DO UPDATE SET
        version = excluded.version, security_version = excluded.security_version, admitted = excluded.admitted,
        created_at = excluded.created_at, last_seen = excluded.last_seen, idle_deadline = excluded.idle_deadline,
        fixed_deadline = excluded.fixed_deadline, sweep_at = excluded.sweep_at, crc = excluded.crc,
        app = excluded.app, subject = excluded.subject, record = excluded.record
    WHERE least(s.idle_deadline, s.fixed_deadline) <= at;
    IF NOT FOUND THEN
        outcome := 4;
        ended := ARRAY[]::bytea[];
        RETURN;
    END IF;
    ended := {schema}.end_oldest_1(ended, p_subject, p_app, p_channel);
    outcome := 0;
END $$;

-- Writes a record with a new security block over the one that it was computed from.
-- outcome: 0 done, 1 it is not that one any more or has ended, 2 revoked, 3 too many sessions.
CREATE FUNCTION {schema}.login_1(
    p_id bytea, p_base_version bigint, p_base_crc bigint, p_version bigint, p_security_version bigint,
    p_admitted bigint, p_last_seen bigint, p_idle_deadline bigint, p_exact boolean, p_fixed_deadline bigint,
    p_crc bigint, p_app text, p_subject text, p_record bytea, p_hard_cap bigint, p_max bigint, p_deny boolean,
    p_offset bigint, p_channel text,
    OUT outcome integer, OUT ended bytea[], OUT seen bigint, OUT idle bigint
) LANGUAGE plpgsql AS $$
DECLARE
    at bigint;
BEGIN
    ended := ARRAY[]::bytea[];
    IF p_hard_cap > (SELECT latest FROM {schema}.caps) THEN
        UPDATE {schema}.caps SET latest = greatest(latest, p_hard_cap + 86400000);
    END IF;
    IF p_max IS NOT NULL THEN
        PERFORM pg_advisory_xact_lock(hashtextextended(p_subject || chr(10) || p_app, {lock}));
    END IF;
    at := {now} + p_offset;
    IF NOT EXISTS (
        SELECT FROM {schema}.sessions s
        WHERE s.id = p_id AND s.version = p_base_version AND s.crc = p_base_crc AND {live s at}
    ) THEN
        outcome := 1;
        RETURN;
    END IF;
    IF p_admitted < {covering p_subject p_app} THEN
        outcome := 2;
        RETURN;
    END IF;
    IF p_max IS NOT NULL THEN
        ended := {schema}.too_many_1(p_id, p_subject, p_app, p_max, p_deny, at);
        IF ended IS NULL THEN
            outcome := 3;
            RETURN;
        END IF;
        IF cardinality(ended) > 0 THEN
            PERFORM FROM {schema}.sessions s WHERE s.id = ANY (ended || p_id) ORDER BY s.id FOR UPDATE;
        END IF;
    END IF;
    UPDATE {schema}.sessions s SET
        version = p_version, security_version = p_security_version, admitted = p_admitted,
        last_seen = CASE WHEN p_exact THEN p_last_seen ELSE greatest(s.last_seen, p_last_seen) END,
        idle_deadline = CASE WHEN p_exact THEN p_idle_deadline ELSE greatest(s.idle_deadline, p_idle_deadline) END,
        fixed_deadline = p_fixed_deadline,
        sweep_at = least(p_idle_deadline, p_fixed_deadline),
        crc = p_crc, app = p_app, subject = p_subject, record = p_record
    WHERE s.id = p_id AND s.version = p_base_version AND s.crc = p_base_crc AND {live s at}
    RETURNING s.last_seen, s.idle_deadline INTO seen, idle;
    IF NOT FOUND THEN
        outcome := 1;
        ended := ARRAY[]::bytea[];
        RETURN;
    END IF;
    ended := {schema}.end_oldest_1(ended, p_subject, p_app, p_channel);
    PERFORM pg_notify(p_channel, 'session ' || encode(p_id, 'hex'));
    outcome := 0;
END $$;

-- Raises the revocation clock and the not-before of a scope, and admits one session anew, whose record was computed
-- for the epoch after p_expected. outcome: 0 done, 1 the clock or that session is not what it was computed from.
CREATE FUNCTION {schema}.revoke_1(
    p_subject text, p_app text, p_expected bigint, p_kept bytea, p_base_version bigint, p_base_crc bigint,
    p_version bigint, p_security_version bigint, p_crc bigint, p_record bytea, p_offset bigint, p_channel text,
    OUT outcome integer, OUT raised bigint, OUT epoch_before bigint, OUT not_before_before bigint
) LANGUAGE plpgsql AS $$
DECLARE
    at bigint;
    cap bigint;
BEGIN
    -- A login that raises the cap comes before this, or sees the new not-before.
    SELECT latest INTO cap FROM {schema}.caps FOR SHARE;
    SELECT epoch INTO epoch_before FROM {schema}.clock FOR UPDATE;
    at := {now} + p_offset;
    -- As Epoch::next(0): the lower 16 bits name a node.
    raised := ((epoch_before >> 16) + 1) << 16;
    SELECT n.epoch INTO not_before_before FROM {schema}.not_before n
    WHERE n.subject = p_subject AND n.app = p_app FOR UPDATE;
    not_before_before := coalesce(not_before_before, 0);
    IF p_kept IS NOT NULL THEN
        IF epoch_before <> p_expected THEN
            outcome := 1;
            RETURN;
        END IF;
        UPDATE {schema}.sessions s SET
            version = p_version, security_version = p_security_version, admitted = raised, crc = p_crc,
            record = p_record
        WHERE s.id = p_kept AND s.version = p_base_version AND s.crc = p_base_crc AND {live s at};
        IF NOT FOUND THEN
            outcome := 1;
            RETURN;
        END IF;
    END IF;
    UPDATE {schema}.clock SET epoch = raised;
    -- A login whose proof is under way is over in a day.
    INSERT INTO {schema}.not_before AS n (subject, app, epoch, until)
    VALUES (p_subject, p_app, raised, greatest(cap, at) + 86400000)
    ON CONFLICT (subject, app) DO UPDATE SET epoch = excluded.epoch, until = greatest(n.until, excluded.until);
    PERFORM pg_notify(p_channel, 'scope ' || p_subject || chr(10) || p_app);
    outcome := 0;
END $$;

-- p_value null removes; p_mode: 0 nothing expected to be there, 1 p_expected, 2 whatever.
CREATE FUNCTION {schema}.put_1(
    p_kind text, p_name bytea, p_mode integer, p_expected bigint, p_value bytea, p_crc bigint, p_expires bigint,
    p_slot integer, p_offset bigint, p_channel text,
    OUT done boolean, OUT version bigint, OUT value bytea, OUT crc bigint, OUT expires bigint
) LANGUAGE plpgsql AS $$
DECLARE
    there boolean;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended(p_kind || chr(10) || encode(p_name, 'hex'), {lock}));
    SELECT r.version, r.value, r.crc, r.expires INTO version, value, crc, expires
    FROM {schema}.registry r
    WHERE r.kind = p_kind AND r.name = p_name AND r.expires > {now} + p_offset;
    there := FOUND;
    done := CASE p_mode WHEN 0 THEN NOT there WHEN 1 THEN there AND version = p_expected ELSE true END;
    IF NOT done THEN
        RETURN;
    END IF;
    version := nextval('{schema}.registry_version');
    IF p_value IS NULL THEN
        DELETE FROM {schema}.registry r WHERE r.kind = p_kind AND r.name = p_name;
    ELSE
        INSERT INTO {schema}.registry AS r (kind, name, version, expires, crc, value)
        VALUES (p_kind, p_name, put_1.version, p_expires, p_crc, p_value)
        ON CONFLICT ON CONSTRAINT registry_pkey DO UPDATE SET
            version = excluded.version, expires = excluded.expires, crc = excluded.crc, value = excluded.value;
    END IF;
    INSERT INTO {schema}.revisions AS r (kind, slot, count) VALUES (p_kind, p_slot, 1)
    ON CONFLICT ON CONSTRAINT revisions_pkey DO UPDATE SET count = r.count + 1;
    IF p_channel IS NOT NULL THEN
        PERFORM pg_notify(p_channel, 'kind ' || p_kind);
    END IF;
END $$;

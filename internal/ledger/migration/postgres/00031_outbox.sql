-- What each is for is told in the schema for SQLite. The triggers are made here, because the
-- account of serve makes none. They do nothing unless the transaction says that somebody
-- wants events (postgres/outbox.sql, write_events); a process without EVENTS_URL never does.
--
-- A number is taken while the row of the notification is locked by its change, so that the
-- numbers of one notification come in the order of its changes, whichever process makes them.

-- +goose Up
CREATE TABLE outbox (
    number     bigint  GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    type       text    NOT NULL,
    stream     text    NOT NULL,
    at         bigint  NOT NULL,
    source     text    NOT NULL,
    row_key    text    NOT NULL,
    generation integer NOT NULL,
    template   text    NOT NULL,
    state      text    NOT NULL,
    reason     text    NOT NULL,
    attempt    integer NOT NULL,
    extra      text    NOT NULL,
    tries      integer NOT NULL DEFAULT 0,
    tried      bigint,
    due        bigint,
    acked      bigint,
    given_up   bigint,
    answer     text    NOT NULL DEFAULT ''
) WITH (
    autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_threshold = 20000
);

CREATE INDEX outbox_due    ON outbox (due, number)    WHERE due IS NOT NULL;
CREATE INDEX outbox_open   ON outbox (number)         WHERE acked IS NULL;
CREATE INDEX outbox_stream ON outbox (stream, number) WHERE acked IS NULL;
CREATE INDEX outbox_at     ON outbox (at, number);

CREATE TABLE outbox_alert (
    name text   PRIMARY KEY,
    seen bigint NOT NULL
);

CREATE TABLE outbox_template (
    name     text NOT NULL,
    language text NOT NULL,
    status   text NOT NULL,
    category text NOT NULL,
    hash     text NOT NULL,
    PRIMARY KEY (name, language)
);

-- The event of a change of state. The change is what the statement has added to the history.
-- +goose StatementBegin
CREATE FUNCTION write_outbox() RETURNS trigger LANGUAGE plpgsql AS $body$
DECLARE
    change json := CAST('[' || replace(CASE TG_OP WHEN 'UPDATE' THEN substr(NEW.history, length(OLD.history) + 1) ELSE NEW.history END,
        '][', '],[') || ']' AS json) -> -1;
BEGIN
    INSERT INTO outbox (type, stream, at, source, row_key, generation, template, state, reason, attempt, extra, due)
    VALUES ('notification.' || CASE NEW.state WHEN 'dispatched' THEN 'accepted' ELSE NEW.state END,
        'row:' || NEW.source || ':' || NEW.row_key, coalesce(CAST(change ->> 0 AS bigint), NEW.created),
        NEW.source, NEW.row_key, NEW.generation,
        CASE NEW.message WHEN '' THEN '?' ELSE coalesce(CAST(NEW.message AS json) ->> 1, '') END,
        NEW.state, coalesce(change ->> 3, ''), NEW.attempt, '', coalesce(CAST(change ->> 0 AS bigint), NEW.created));
    RETURN NULL;
END
$body$;
-- +goose StatementEnd

CREATE TRIGGER outbox_of_change AFTER UPDATE OF state ON notification FOR EACH ROW
WHEN (OLD.state IS DISTINCT FROM NEW.state AND current_setting('pombo.events', true) = 'on'
    AND NEW.state IN ('accepted', 'dispatched', 'delivered', 'read', 'failed', 'uncertain', 'suppressed', 'expired', 'cancelled')
    AND NOT (NEW.state IN ('accepted', 'dispatched') AND OLD.state IN ('accepted', 'dispatched')))
EXECUTE FUNCTION write_outbox();

CREATE TRIGGER outbox_of_intake AFTER INSERT ON notification FOR EACH ROW
WHEN (current_setting('pombo.events', true) = 'on'
    AND NEW.state IN ('accepted', 'dispatched', 'delivered', 'read', 'failed', 'uncertain', 'suppressed', 'expired', 'cancelled'))
EXECUTE FUNCTION write_outbox();

-- What they are for is told in the schema for SQLite. A row that is handed over has its event
-- written by a trigger too: that is no change of state, so it has one of its own.

-- +goose Up
CREATE INDEX notification_handed_over ON notification (seq) WHERE settle = 'fallback';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION write_outbox() RETURNS trigger LANGUAGE plpgsql AS $body$
DECLARE
    change json := CAST('[' || replace(CASE TG_OP WHEN 'UPDATE' THEN substr(NEW.history, length(OLD.history) + 1) ELSE NEW.history END,
        '][', '],[') || ']' AS json) -> -1;
BEGIN
    INSERT INTO outbox (type, stream, at, source, row_key, generation, template, state, reason, attempt, extra, due)
    VALUES ('notification.' || coalesce(TG_ARGV[0], CASE NEW.state WHEN 'dispatched' THEN 'accepted' ELSE NEW.state END),
        'row:' || NEW.source || ':' || NEW.row_key, coalesce(CAST(change ->> 0 AS bigint), NEW.created),
        NEW.source, NEW.row_key, NEW.generation,
        CASE NEW.message WHEN '' THEN '?' ELSE coalesce(CAST(NEW.message AS json) ->> 1, '') END,
        NEW.state, coalesce(change ->> 3, ''), NEW.attempt, '', coalesce(CAST(change ->> 0 AS bigint), NEW.created));
    RETURN NULL;
END
$body$;
-- +goose StatementEnd

CREATE TRIGGER outbox_of_fallback AFTER UPDATE OF settle ON notification FOR EACH ROW
WHEN (NEW.settle = 'fallback' AND OLD.settle IS DISTINCT FROM NEW.settle AND current_setting('pombo.events', true) = 'on')
EXECUTE FUNCTION write_outbox('handed_over');

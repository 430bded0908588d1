-- When it is to be decided whether the row of a notification is handed over to another channel
-- of the company's (STATUS_FALLBACK): at once after a failure for which that is set, or when the
-- message is not delivered by then; NULL = never. In settle, "fallback" says that it was handed
-- over: the row is owed that code, and nothing after it.

-- +goose Up
ALTER TABLE notification ADD COLUMN fallback_at INTEGER;
CREATE INDEX notification_fallback ON notification (fallback_at) WHERE fallback_at IS NOT NULL;

-- What it is for is told in the schema for SQLite.

-- +goose Up
ALTER TABLE notification ADD COLUMN fallback_at bigint;
CREATE INDEX notification_fallback ON notification (fallback_at) WHERE fallback_at IS NOT NULL;

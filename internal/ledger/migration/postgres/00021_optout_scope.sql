-- What each is for is told in the schema for SQLite.

-- +goose Up
ALTER TABLE optout ADD COLUMN scope text NOT NULL DEFAULT 'all';
ALTER TABLE optout ADD COLUMN bsuid text;
UPDATE optout SET scope = 'marketing' WHERE by = 'blip';
UPDATE optout_version SET version = version + 1;

CREATE TABLE business_user (
    bsuid text   PRIMARY KEY,
    phone bigint NOT NULL,
    seen  bigint NOT NULL
);

CREATE INDEX business_user_phone ON business_user (phone);
CREATE INDEX business_user_seen ON business_user (seen);

-- An opt-out has a scope: marketing, or all. WhatsApp's own (by blip) has always been
-- about marketing alone. bsuid is what WhatsApp calls a person towards this business.

-- +goose Up
ALTER TABLE optout ADD COLUMN scope TEXT NOT NULL DEFAULT 'all';
ALTER TABLE optout ADD COLUMN bsuid TEXT;
UPDATE optout SET scope = 'marketing' WHERE by = 'blip';
UPDATE optout_version SET version = version + 1;

-- Whose phone a bsuid is, as receipts have told.
CREATE TABLE business_user (
    bsuid TEXT PRIMARY KEY,
    phone INTEGER NOT NULL,
    seen  INTEGER NOT NULL
) WITHOUT ROWID;

CREATE INDEX business_user_phone ON business_user (phone);
CREATE INDEX business_user_seen ON business_user (seen);

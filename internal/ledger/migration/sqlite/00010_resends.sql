-- How often the message has been sent again by itself after a failed receipt,
-- each time as a further generation. In settle, "resent" is one reason more why
-- nothing is owed: the generation after this one settles.

-- +goose Up
ALTER TABLE notification ADD COLUMN resends INTEGER NOT NULL DEFAULT 0;

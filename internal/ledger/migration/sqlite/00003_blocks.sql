-- Smaller blocks: a page of intake dirties at most ten pages of each index
-- instead of eighty, which halves what it writes. A search has more blocks to
-- ask, and ends with the newest that knows the answer.

-- +goose Up
DROP INDEX notification_id;
DROP INDEX notification_phone;
CREATE INDEX notification_id    ON notification (seq >> 12, id);
CREATE INDEX notification_phone ON notification (seq >> 12, phone);

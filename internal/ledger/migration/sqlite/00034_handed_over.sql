-- The desk lists the rows that another channel of the company's has, the newest first. They are
-- few of all, so the index is small.

-- +goose Up
CREATE INDEX notification_handed_over ON notification (seq) WHERE settle = 'fallback';

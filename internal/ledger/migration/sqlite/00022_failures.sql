-- The people to whom one message after another failed in the same way, with no
-- delivery in between; empty when there are none.

-- +goose Up
CREATE TABLE failure_streak (
    phone   INTEGER PRIMARY KEY,
    seq     INTEGER NOT NULL, -- of the notification
    reason  TEXT NOT NULL,
    code    INTEGER NOT NULL,
    refused INTEGER NOT NULL  -- 1 = Blip refused the POST; 0 = a receipt said so
);

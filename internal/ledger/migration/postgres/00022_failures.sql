-- What it is for is told in the schema for SQLite.

-- +goose Up
CREATE TABLE failure_streak (
    phone   bigint PRIMARY KEY,
    seq     bigint NOT NULL, -- of the notification
    reason  text NOT NULL,
    code    bigint NOT NULL,
    refused bigint NOT NULL  -- 1 = Blip refused the POST; 0 = a receipt said so
);

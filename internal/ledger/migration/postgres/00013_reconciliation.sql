-- The last comparison of source, ledger and Blip, as JSON. At most one row.

-- +goose Up
CREATE TABLE reconciliation (
    one    INTEGER PRIMARY KEY CHECK (one = 1),
    result TEXT NOT NULL
);

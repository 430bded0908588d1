-- Which opening of the ledger takes in for the run. On SQLite all but the present
-- one are dead.

-- +goose Up
ALTER TABLE run ADD COLUMN taker TEXT;

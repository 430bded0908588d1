-- The column is told in the schema for SQLite.

-- +goose Up
ALTER TABLE notification ADD COLUMN resends integer NOT NULL DEFAULT 0;

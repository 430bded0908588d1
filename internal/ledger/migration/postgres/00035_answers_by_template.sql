-- What it is for is told in the schema for SQLite.

-- +goose Up
ALTER TABLE reply ADD COLUMN template text NOT NULL DEFAULT '?';

-- The template that a reply answers, '' = the usual one: the report counts answers by template,
-- also of messages that are erased. ? = it is not known.

-- +goose Up
ALTER TABLE reply ADD COLUMN template TEXT NOT NULL DEFAULT '?';

-- 0x504f4d42: whose file this is. New ledgers have it from the start.

-- +goose Up
PRAGMA application_id = 1347374402;

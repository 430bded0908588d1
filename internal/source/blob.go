package source

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"pombo"
)

// BlobSize returns how many bytes a row has in the column that is mapped for a slot; 0
// for NULL. pombo.ErrNotFound when there is no such row.
func (t *Table) BlobSize(ctx context.Context, rowKey string, slot pombo.Slot) (int64, error) {
	var text string
	err := t.blob(ctx, rowKey, slot, func(size, _ Query) Query { return size }, func(v any) { text = Text(v) })
	if err != nil || text == "" {
		return 0, err
	}
	return strconv.ParseInt(text, 10, 64)
}

// Blob returns the bytes themselves. It reads them whole, so the caller asks for
// BlobSize first.
func (t *Table) Blob(ctx context.Context, rowKey string, slot pombo.Slot) ([]byte, error) {
	var bytes []byte
	err := t.blob(ctx, rowKey, slot, func(_, bytes Query) Query { return bytes }, func(v any) { bytes, _ = v.([]byte) })
	return bytes, err
}

func (t *Table) blob(ctx context.Context, rowKey string, slot pombo.Slot, which func(size, bytes Query) Query, read func(any)) error {
	i := slices.IndexFunc(t.mapping.Blobs, func(c MappedColumn) bool { return c.Slot == slot })
	if i < 0 {
		return &TableError{Op: "read a document of " + t.mapping.Table, Permanent: true, Err: errors.New("no column is mapped for " + string(slot)), Hint: "map one (DB_COL_PARAMS)"}
	}
	column := t.mapping.Blobs[i]
	op := fmt.Sprintf("read %s of a row of %s", column.Text, t.mapping.Table)
	l, err := t.layout(ctx)
	if err != nil {
		return err
	}
	arg, ok := t.dialect.KeyArg(l, rowKey)
	if !ok {
		return fmt.Errorf("%s: %w", op, pombo.ErrNotFound)
	}
	n, err := t.query(ctx, op, which(t.dialect.Blob(l, column, arg)), func(values []any) { read(values[0]) })
	if err == nil && n == 0 {
		err = fmt.Errorf("%s: %w", op, pombo.ErrNotFound)
	}
	return err
}

package telemetry

import (
	"encoding"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// Limits of the text of one value.
const (
	maxElements = 50 // of a slice or a map
	maxDepth    = 4  // of slices, maps and pointers within each other
)

// scalar converts a resolved value into one that a format can write as it is.
func scalar(v slog.Value) slog.Value {
	if v.Kind() != slog.KindAny {
		return v
	}
	return slog.StringValue(safeText(v.Any(), 0))
}

// safeText returns the text that a value's type defines. Without one it writes only the
// name of a struct's type, and only the number of bytes. It does not use fmt, whose %v
// prints the unexported fields of a struct without their String methods, and so bypasses
// every mask.
func safeText(x any, depth int) (text string) {
	defer func() {
		if recover() != nil { // most often a method called on a nil pointer
			text = fmt.Sprintf("!PANIC in %T", x)
		}
	}()
	switch x := x.(type) {
	case nil:
		return "<nil>"
	case slog.Value: // before Stringer: its String would print the value unmasked
		return valueText(x, depth)
	case slog.Attr:
		return x.Key + ":" + valueText(x.Value, depth)
	case slog.LogValuer:
		return valueText(slog.AnyValue(x), depth)
	case error:
		return x.Error()
	case fmt.Stringer:
		return x.String()
	case encoding.TextMarshaler:
		b, err := x.MarshalText()
		if err != nil {
			return fmt.Sprintf("{%T}", x)
		}
		return string(b)
	}

	v := reflect.ValueOf(x)
	if depth >= maxDepth {
		return fmt.Sprintf("{%T}", x)
	}
	switch v.Kind() {
	case reflect.String:
		return v.String()
	case reflect.Bool:
		return strconv.FormatBool(v.Bool())
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return strconv.FormatInt(v.Int(), 10)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		return strconv.FormatUint(v.Uint(), 10)
	case reflect.Float32, reflect.Float64:
		return strconv.FormatFloat(v.Float(), 'g', -1, 64)
	case reflect.Pointer:
		if v.IsNil() {
			return "<nil>"
		}
		return safeText(v.Elem().Interface(), depth+1)
	case reflect.Slice, reflect.Array:
		return listText(v, depth)
	case reflect.Map:
		return mapText(v, depth)
	default:
		return fmt.Sprintf("{%T}", x)
	}
}

// valueText returns the text of a slog.Value within another value.
func valueText(v slog.Value, depth int) string {
	v = v.Resolve()
	switch v.Kind() {
	case slog.KindAny:
		return safeText(v.Any(), depth+1)
	case slog.KindGroup:
		if depth >= maxDepth {
			return "{group}"
		}
		parts := make([]string, 0, len(v.Group()))
		for _, a := range v.Group() {
			parts = append(parts, a.Key+":"+valueText(a.Value, depth+1))
		}
		return "{" + strings.Join(parts, " ") + "}"
	default:
		return v.String()
	}
}

func listText(v reflect.Value, depth int) string {
	if v.Type().Elem().Kind() == reflect.Uint8 {
		return fmt.Sprintf("[%d bytes]", v.Len())
	}
	parts := make([]string, 0, min(v.Len(), maxElements)+1)
	for i := range v.Len() {
		if i == maxElements {
			parts = append(parts, fmt.Sprintf("… %d in all", v.Len()))
			break
		}
		parts = append(parts, safeText(v.Index(i).Interface(), depth+1))
	}
	return "[" + strings.Join(parts, " ") + "]"
}

func mapText(v reflect.Value, depth int) string {
	if v.Len() > maxElements {
		return fmt.Sprintf("map[%d entries]", v.Len())
	}
	parts := make([]string, 0, v.Len())
	for it := v.MapRange(); it.Next(); {
		parts = append(parts, safeText(it.Key().Interface(), depth+1)+":"+safeText(it.Value().Interface(), depth+1))
	}
	slices.Sort(parts)
	return "map[" + strings.Join(parts, " ") + "]"
}

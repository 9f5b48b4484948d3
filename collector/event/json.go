// SPDX-License-Identifier: Apache-2.0

package event

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// AppendJSON appends the event as one JSON object, without a newline. Fields that are not known are left out.
func (e *Event) AppendJSON(b []byte) []byte {
	b = append(b, `{"ts":`...)
	b = strconv.AppendInt(b, e.TS, 10)
	b = append(b, `,"event":"`...)
	b = append(b, e.Kind.String()...)
	b = append(b, '"')
	for f := range e.Has.All() {
		if !e.Kind.hasField(f) {
			continue
		}
		b = append(b, fieldKeys[f]...)
		b = appendValue(b, fieldTable[f].at(e))
	}
	return append(b, '}')
}

func appendValue(b []byte, v any) []byte {
	switch v := v.(type) {
	case *uint32:
		return strconv.AppendUint(b, uint64(*v), 10)
	case *uint64:
		return strconv.AppendUint(b, *v, 10)
	case *int32:
		return strconv.AppendInt(b, int64(*v), 10)
	case *int64:
		return strconv.AppendInt(b, *v, 10)
	case *bool:
		return strconv.AppendBool(b, *v)
	case *float64:
		return strconv.AppendFloat(b, *v, 'f', -1, 64)
	case *netip.AddrPort:
		if v.Addr().Zone() != "" { // a zone may hold any character
			return appendString(b, v.String())
		}
		b = append(b, '"')
		b = v.AppendTo(b)
		return append(b, '"')
	case *string:
		return appendString(b, *v)
	case *[]RingOp:
		raw, _ := json.Marshal(*v) // plain values: it cannot fail
		return append(b, raw...)
	case *Batches:
		raw, _ := json.Marshal(*v)
		return append(b, raw...)
	case *[]Message:
		raw, _ := json.Marshal(*v) // plain values: it cannot fail
		return append(b, raw...)
	case *[]string:
		return appendStrings(b, *v)
	case *map[string][]string:
		b = append(b, '{')
		for i, key := range slices.Sorted(maps.Keys(*v)) {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendStrings(append(appendString(b, key), ':'), (*v)[key])
		}
		return append(b, '}')
	case *map[string]int64:
		return appendMap(b, *v)
	}
	panic(fmt.Sprintf("event: field of type %T", v))
}

// appendMap appends m as a JSON object, its keys in order.
func appendMap(b []byte, m map[string]int64) []byte {
	b = append(b, '{')
	for i, key := range slices.Sorted(maps.Keys(m)) {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendString(b, key), ':')
		b = strconv.AppendInt(b, m[key], 10)
	}
	return append(b, '}')
}

func appendStrings(b []byte, all []string) []byte {
	b = append(b, '[')
	for i, s := range all {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(b, s)
	}
	return append(b, ']')
}

// appendString appends s as a JSON string. A comm may hold any byte but NUL.
func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	if plain(s) {
		b = append(b, s...)
		return append(b, '"')
	}
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		case r < ' ':
			b = fmt.Appendf(b, `\u%04x`, r)
		default:
			b = utf8.AppendRune(b, r)
		}
	}
	return append(b, '"')
}

// plain reports whether s stands for itself in JSON.
func plain(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' || c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// UnknownKind is the error of an event of a kind that this version does not have.
type UnknownKind struct{ Name string }

// Error names the kind.
func (u *UnknownKind) Error() string { return fmt.Sprintf("unknown event %q", u.Name) }

// UnmarshalJSON reads one event line. Keys that this version does not know are skipped, since fields may be added
// within a schema number; the error of an event that it does not know is an *UnknownKind.
func (e *Event) UnmarshalJSON(line []byte) error {
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(line, &raw); err != nil {
		return err
	}
	*e = Event{}
	var name string
	if err := json.Unmarshal(raw["event"], &name); err != nil {
		return fmt.Errorf("no event name")
	}
	if err := json.Unmarshal(raw["ts"], &e.TS); err != nil || isNull(raw["ts"]) {
		return fmt.Errorf("no time stamp in ts")
	}
	kind, ok := ParseKind(name)
	if !ok {
		return &UnknownKind{name}
	}
	e.Kind = kind
	for f := Field(0); f < fields; f++ {
		value, ok := raw[fieldTable[f].name]
		if !ok || isNull(value) || !kind.hasField(f) {
			continue
		}
		if err := setValue(fieldTable[f].at(e), value); err != nil {
			return fmt.Errorf("%s: %w", f, err)
		}
		e.Set(f)
	}
	return nil
}

// hasField reports whether a key means this field in events of the kind: blocked_ns of a thread tells its waits apart, that of a
// loop is a time.
func (k Kind) hasField(f Field) bool {
	switch f {
	case FieldBlockedNS:
		return k != EpollWait && k != Loop
	case FieldInsideNS:
		return k == EpollWait || k == Loop
	}
	return true
}

// isNull reports whether a value is JSON's null, which means the same as its absence.
func isNull(value json.RawMessage) bool { return string(value) == "null" }

func unprintable(r rune) bool { return !unicode.IsPrint(r) }

// setValue reads one field. An address must be one: the empty text, which netip takes for its zero value, is not.
func setValue(at any, value json.RawMessage) error {
	if err := json.Unmarshal(value, at); err != nil {
		var kind *json.UnmarshalTypeError
		if errors.As(err, &kind) {
			return fmt.Errorf("%s is not a value of it", kind.Value)
		}
		return err
	}
	if a, ok := at.(*netip.AddrPort); ok {
		if !a.IsValid() || strings.ContainsFunc(a.Addr().Zone(), unprintable) {
			return fmt.Errorf("no address in %s", value)
		}
		*a = netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
	}
	return nil
}

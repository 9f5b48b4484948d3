// SPDX-License-Identifier: Apache-2.0

package insight

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// subject names a listener: api :9000 where it listens on every address of both families, api 127.0.0.1:9000 elsewhere.
func (l *listener) subject() string {
	local := l.Local
	if port, ok := strings.CutPrefix(local, "[::]:"); ok {
		local = ":" + port
	}
	if local == "" {
		local = fmt.Sprintf("listener %x", l.Conn) // its listen was lost
	}
	return strings.TrimSpace(l.Comm + " " + local)
}

// subjects names listeners, each by its socket's cookie: those that would have one name with what tells them apart.
func subjects(all []*listener) map[uint64]string {
	alike := map[string][]*listener{}
	for _, l := range all {
		alike[l.subject()] = append(alike[l.subject()], l)
	}
	out := make(map[uint64]string, len(all))
	for name, same := range alike {
		for _, l := range same {
			out[l.Conn] = name + l.among(same)
		}
	}
	return out
}

// among is what tells a listener apart from others of the same name: network namespace, process, and the socket's cookie
// where a process has several there.
func (l *listener) among(same []*listener) (out string) {
	for _, by := range []struct {
		what string
		of   func(*listener) uint64
	}{
		{"netns", func(l *listener) uint64 { return uint64(l.NetNS) }},
		{"pid", func(l *listener) uint64 { return uint64(l.PID.V) }},
		{"socket", func(l *listener) uint64 { return l.Conn }},
	} {
		alike := slices.DeleteFunc(slices.Clone(same), func(o *listener) bool { return by.of(o) != by.of(l) })
		if len(alike) == len(same) {
			continue
		}
		out += fmt.Sprintf(" %s %d", by.what, by.of(l))
		same = alike
	}
	return out
}

// dur writes a time in ns with two or three digits: 84 µs, 4.8 ms, 2.1 s.
func dur(ns int64) string {
	v := float64(ns)
	switch {
	case ns < 1000:
		return strconv.FormatInt(ns, 10) + " ns"
	case v < 999.5e3:
		return digits(v/1e3) + " µs"
	case v < 999.5e6:
		return digits(v/1e6) + " ms"
	case v < 99.5e9:
		return digits(v/1e9) + " s"
	}
	return time.Duration(ns).Round(time.Second).String()
}

// digits writes a number with one decimal when it is below 10.
func digits(v float64) string {
	if v < 9.95 {
		return strconv.FormatFloat(v, 'f', 1, 64)
	}
	return strconv.FormatFloat(v, 'f', 0, 64)
}

// count writes a number with its noun; the noun takes an s.
func count(n uint64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// are writes a number with its noun and verb.
func are(n uint64, noun string) string {
	if n == 1 {
		return count(n, noun) + " is"
	}
	return count(n, noun) + " are"
}

// lately writes how often something happened in all, and in the last seconds; the noun may be left out.
func lately(all, recent uint64, noun, verb, in string) string {
	n := strconv.FormatUint(all, 10)
	if noun != "" {
		n = count(all, noun)
	}
	if all == recent {
		return fmt.Sprintf("%s %s in the last %s", n, verb, in)
	}
	return fmt.Sprintf("%s %s, %d of them in the last %s", n, verb, recent, in)
}

// sentence is a text that grows clause by clause.
type sentence struct{ strings.Builder }

// add appends a clause after a separator; an empty clause adds nothing.
func (s *sentence) add(separator, format string, args ...any) {
	clause := fmt.Sprintf(format, args...)
	if clause == "" {
		return
	}
	if s.Len() > 0 {
		s.WriteString(separator)
	}
	s.WriteString(clause)
}

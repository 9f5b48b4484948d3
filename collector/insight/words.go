// SPDX-License-Identifier: Apache-2.0

package insight

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// subject names a listener: api :9000 where it listens on every address, api 127.0.0.1:9000 elsewhere.
func (l *listener) subject() string {
	local := l.Local
	for _, any := range []string{"0.0.0.0", "[::]"} {
		if rest, ok := strings.CutPrefix(local, any+":"); ok {
			local = ":" + rest
		}
	}
	if local == "" {
		local = fmt.Sprintf("listener %x", l.Conn) // its listen was lost
	}
	return strings.TrimSpace(l.Comm + " " + local)
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

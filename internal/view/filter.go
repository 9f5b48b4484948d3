// SPDX-License-Identifier: Apache-2.0

package view

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Filter selects records by the words of the command line. Its zero value selects all.
type Filter struct {
	Source string // as it was typed
	terms  []term
}

// term is one condition; a value list matches if one of its values does.
type term struct {
	key    string // "": free text
	values []string
}

// Subject is what a filter looks at in a record. A field that does not apply is empty; no condition on it matches.
type Subject struct {
	Ports     []uint16 // local and remote
	PID       uint32
	Comm      string
	NetNS     uint32
	Container string
	Unit      string // of systemd
	State     string
	Role      string
	Event     string
	Text      string // everything else that free text may find
}

// filterKeys are the words that a filter knows, with the command line's short flags.
var filterKeys = map[string]string{
	"port": "port", "P": "port", "pid": "pid", "p": "pid", "comm": "comm", "netns": "netns", "container": "container",
	"state": "state", "role": "role", "event": "event",
}

// FilterHelp says in one line what can be typed.
const FilterHelp = "port:8080  pid:4711  comm:nginx  netns:4026531840  state:closed  role:server  event:read  container:db  or text"

// ParseFilter reads a filter: words such as port:8080, --port 80,443, -P 8080, port 8080, pid 12, comm nginx; any other
// word is searched for. Conditions on different things must all hold, of several on the same one must.
func ParseFilter(text string) (Filter, error) {
	f := Filter{Source: strings.TrimSpace(text)}
	words := strings.Fields(text)
	for i := 0; i < len(words); i++ {
		key, value, whole, err := splitWord(words[i])
		if err != nil {
			return Filter{}, err
		}
		if key != "" && !whole {
			if i++; i >= len(words) {
				if !strings.HasPrefix(words[i-1], "-") {
					f.add("", words[i-1]) // the word alone is text, as long as nothing follows
					break
				}
				return Filter{}, fmt.Errorf("%s: what? for example %s:%s", words[i-1], key, example(key))
			}
			value = words[i]
		}
		for _, v := range values(key, value) {
			if err := check(key, v); err != nil {
				return Filter{}, err
			}
			f.add(key, v)
		}
	}
	return f, nil
}

// numberBits are the words whose values are numbers, which may be a list with commas, and how many bits those have.
var numberBits = map[string]int{"port": 16, "pid": 32, "netns": 32}

func values(key, value string) []string {
	if numberBits[key] == 0 {
		return []string{value}
	}
	return strings.Split(value, ",")
}

// splitWord takes a word apart; whole says that it has its value with it.
func splitWord(word string) (key, value string, whole bool, err error) {
	name := strings.TrimLeft(word, "-")
	dashed := name != word
	if at := strings.IndexAny(name, ":="); at > 0 {
		if key, ok := filterKeys[name[:at]]; ok {
			return key, name[at+1:], true, nil
		}
	}
	if key, ok := filterKeys[name]; ok && (dashed || len(name) > 1) {
		return key, "", false, nil
	}
	if dashed && name != "" {
		return "", "", false, fmt.Errorf("%s: not a filter; known: port, pid, comm, netns, container, state, role, event", word)
	}
	return "", word, true, nil
}

func example(key string) string {
	switch key {
	case "port":
		return "8080"
	case "pid":
		return "4711"
	case "netns":
		return "4026531840"
	case "comm":
		return "nginx"
	case "container":
		return "db"
	case "state":
		return "closed"
	case "role":
		return "server"
	}
	return "accept"
}

func check(key, value string) error {
	bits := numberBits[key]
	if bits == 0 {
		return nil
	}
	if n, err := strconv.ParseUint(value, 10, bits); err != nil || n == 0 {
		return fmt.Errorf("%s %q: a number from 1 to %d, for example %s:%s", key, value, uint64(1)<<bits-1, key, example(key))
	}
	return nil
}

func (f *Filter) add(key, value string) {
	value = strings.ToLower(value)
	i := slices.IndexFunc(f.terms, func(t term) bool { return key != "" && t.key == key })
	if i < 0 {
		f.terms = append(f.terms, term{key, []string{value}})
		return
	}
	f.terms[i].values = append(f.terms[i].values, value)
}

// Empty reports whether the filter selects everything.
func (f Filter) Empty() bool { return len(f.terms) == 0 }

// Match reports whether the filter selects the record.
func (f Filter) Match(s Subject) bool {
	for _, t := range f.terms {
		if !slices.ContainsFunc(t.values, func(v string) bool { return s.has(t.key, v) }) {
			return false
		}
	}
	return true
}

// keys returns the words of the filter, without free text.
func (f Filter) keys() []string {
	var out []string
	for _, t := range f.terms {
		if t.key != "" {
			out = append(out, t.key)
		}
	}
	return out
}

// tells reports whether the subject has what a word asks for, whatever it is.
func (s Subject) tells(key string) bool {
	switch key {
	case "port":
		return len(s.Ports) > 0
	case "pid":
		return s.PID != 0
	case "netns":
		return s.NetNS != 0
	}
	return map[string]string{"comm": s.Comm, "container": s.Container + s.Unit, "state": s.State, "role": s.Role, "event": s.Event}[key] != ""
}

func (s Subject) has(key, value string) bool {
	switch key {
	case "port":
		return slices.ContainsFunc(s.Ports, func(p uint16) bool { return strconv.Itoa(int(p)) == value })
	case "pid":
		return s.PID != 0 && strconv.FormatUint(uint64(s.PID), 10) == value
	case "netns":
		return strconv.FormatUint(uint64(s.NetNS), 10) == value
	case "container": // or a systemd unit; a whole id, too, of which only the beginning is known
		id := strings.ToLower(s.Container)
		return strings.Contains(id, value) || len(id) >= 12 && strings.HasPrefix(value, id) || strings.Contains(strings.ToLower(s.Unit), value)
	case "comm":
		return strings.Contains(strings.ToLower(s.Comm), value)
	case "state":
		return strings.Contains(strings.ReplaceAll(s.State, "_", " "), strings.ReplaceAll(value, "_", " "))
	case "role":
		return s.Role == value
	case "event":
		return s.Event == value
	}
	return strings.Contains(strings.ToLower(s.Comm+" "+s.Text), value)
}

// portOf returns the port of an address "ip:port", or 0.
func portOf(addr string) uint16 {
	n, err := strconv.ParseUint(addr[strings.LastIndexByte(addr, ':')+1:], 10, 16)
	if err != nil {
		return 0
	}
	return uint16(n)
}

func ports(addrs ...string) []uint16 {
	var out []uint16
	for _, a := range addrs {
		if p := portOf(a); p != 0 {
			out = append(out, p)
		}
	}
	return out
}

// LineSubject lets a filter search a line of a detail.
func LineSubject(l Line) Subject {
	text := l.String()
	return Subject{Text: text, Comm: text, State: text, Ports: portsIn(text)}
}

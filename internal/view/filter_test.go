// SPDX-License-Identifier: Apache-2.0

package view_test

import (
	"strings"
	"testing"

	"beltrace/collector/model"
	"beltrace/internal/view"
	"beltrace/internal/view/viewtest"
)

func TestFilter(t *testing.T) {
	nginx := view.Subject{Ports: []uint16{8080, 51234}, PID: 812, Comm: "nginx", NetNS: 4026531840, State: "accept_queue", Role: "server", Event: "accept", Text: "[::]:8080 worker"}
	for text, want := range map[string]bool{
		"": true, "   ": true, "port:8080": true, "--port 8080": true, "--port=8080": true, "-P 8080": true, "port 8080": true, "port:9": false, "port 9 port 8080": true, "port:8080 port:9": true, "port:9,8080": true, "--port 9,10": false, "-p 1,812": true,
		"pid 812": true, "--pid 812": true, "-p 812": true, "pid:81": false, "comm nginx": true, "--comm NGI": true, "comm:api": false, "netns:4026531840": true, "netns 1": false,
		"port:8080 comm:nginx": true, "port:8080 comm:api": false, "state:accept_queue": true, "role:client": false, "event:accept": true, "event:acc": false,
		"worker": true, "WORK ngin": true, "worker nobody": false, "[::]:8080": true, "port": false, "p": false, "--": false,
	} {
		f, err := view.ParseFilter(text)
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if got := f.Match(nginx); got != want {
			t.Errorf("%q matches: %v, want %v", text, got, want)
		}
		if f.Empty() != (want && len(f.Source) == 0) {
			t.Errorf("%q: empty %v", text, f.Empty())
		}
	}
}

func TestFilterThatIsNone(t *testing.T) {
	for text, want := range map[string]string{
		"port:x":       `port "x": a number from 1 to 65535, for example port:8080`,
		"port 70000":   `port "70000": a number from 1 to 65535, for example port:8080`,
		"port:80,x":    `port "x": a number from 1 to 65535, for example port:8080`,
		"port:80,":     `port "": a number from 1 to 65535, for example port:8080`,
		"port:0":       `port "0": a number from 1 to 65535, for example port:8080`,
		"--pid -4":     `pid "-4": a number from 1 to 4294967295, for example pid:4711`,
		"--port":       "--port: what? for example port:8080",
		"--prot 80":    "--prot: not a filter; known: port, pid, comm, netns, container, state, role, event",
		"netns /run/x": `netns "/run/x": a number from 1 to 4294967295, for example netns:4026531840`,
	} {
		_, err := view.ParseFilter(text)
		if err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

func FuzzParseFilter(f *testing.F) {
	for _, s := range []string{"port:8080", "--port 8080 -p 12", "a:b", "-", "--=", "comm", "サ"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		filter, err := view.ParseFilter(text)
		if err != nil && !filter.Empty() {
			t.Error("a filter with an error selects something")
		}
		filter.Match(view.Subject{Text: text})
	})
}

// TestFilterOnEveryPage: a word of a filter selects on every page whose records have what it asks for; elsewhere the page
// says that this is not known.
func TestFilterOnEveryPage(t *testing.T) {
	s := viewtest.Busy()
	s.Events = []model.EventLine{
		{TS: 1, Kind: "accept", PID: 4711, Comm: "api", NetNS: 4026531840, Container: "3f9a81c2d7e64b1f", Role: "server"},
		{TS: 2, Kind: "connect", PID: 4712, Comm: "curl", NetNS: 4026532281, Unit: "session-1.scope", Role: "client"},
		{TS: 3, Kind: "lost"},
	}
	for _, c := range []struct {
		page, text string
		of         func(*view.Table) bool // whether it selected what it should
		unknown    string
	}{
		{"events", "role:server", some, ""},
		{"events", "netns:4026532281", some, ""},
		{"events", "container:3f9a", some, ""},
		{"events", "container:session-1.scope", some, ""},
		{"events", "state:closed", none, "state"},
		{"workers", "netns:4026531840", some, ""},
		{"workers", "netns:1", none, ""},
		{"workers", "container:3F9A81C2D7E64B1F0011223344", some, ""},
		{"workers", "container:nginx.service", some, ""},
		{"workers", "container:nobody.service", none, ""},
		{"workers", "role:acceptor", some, ""},
		{"workers", "event:accept", none, "event"},
		{"workers", "port:8080 event:accept role:acceptor", none, "port event"},
		{"loops", "netns:4026531840", some, ""},
		{"listeners", "container:3f9a", some, ""},
		{"listeners", "container:NGINX.service", some, ""},
		{"listeners", "role:server", none, "role"},
		{"overview", "container:3f9a", some, ""},
		{"overview", "container:nginx", some, ""},
		{"connections", "role:client", some, ""},
		{"findings", "netns:4026531840", some, ""},
	} {
		p, err := view.PageNamed(c.page)
		if err != nil {
			t.Fatal(err)
		}
		f, err := view.ParseFilter(c.text)
		if err != nil {
			t.Fatal(err)
		}
		table := p.Table(view.Input{Snap: s, Filter: f})
		if !c.of(table) || strings.Join(table.Unknown, " ") != c.unknown {
			t.Errorf("%s, %s: %d of %d, unknown %v, want %q", c.page, c.text, len(table.Keys), table.Total, table.Unknown, c.unknown)
		}
	}
}

func some(t *view.Table) bool { return len(t.Keys) > 0 && len(t.Keys) < t.Total }
func none(t *view.Table) bool { return len(t.Keys) == 0 && t.Total > 0 }

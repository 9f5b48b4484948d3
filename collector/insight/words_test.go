// SPDX-License-Identifier: Apache-2.0

package insight

import (
	"testing"

	"beltrace/collector/model"
)

// TestSubjects: no two listeners have one name, and a name is no longer than it must be.
func TestSubjects(t *testing.T) {
	at := func(conn uint64, local string, netns, pid uint32) *listener {
		return &listener{Listener: &model.Listener{Conn: conn, Local: local, NetNS: netns, Process: model.Process{Comm: "api", PID: model.Some(pid)}}}
	}
	for name, got := range map[string][]*listener{
		"api :80":                  {at(1, "[::]:80", 7, 12), at(2, "0.0.0.0:80", 7, 12)},
		"api 0.0.0.0:80":           {at(1, "0.0.0.0:80", 7, 12), at(2, "[::]:80", 7, 12)},
		"api 10.0.0.1:80":          {at(1, "10.0.0.1:80", 7, 12), at(2, "10.0.0.2:80", 7, 12)},
		"api 10.0.0.1:80 netns 7":  {at(1, "10.0.0.1:80", 7, 12), at(2, "10.0.0.1:80", 8, 12)},
		"api 10.0.0.1:80 pid 12":   {at(1, "10.0.0.1:80", 7, 12), at(2, "10.0.0.1:80", 7, 13)},
		"api 10.0.0.1:80 socket 1": {at(1, "10.0.0.1:80", 7, 12), at(2, "10.0.0.1:80", 7, 12)},
		"api :80 netns 7 pid 12":   {at(1, "[::]:80", 7, 12), at(2, "[::]:80", 7, 13), at(3, "[::]:80", 8, 13)},
		"api :80 netns 8":          {at(3, "[::]:80", 8, 13), at(2, "[::]:80", 7, 13), at(1, "[::]:80", 7, 12)},
		"api :80 netns 7 socket 1": {at(1, "[::]:80", 7, 12), at(2, "[::]:80", 7, 12), at(3, "[::]:80", 8, 12)},
		"api listener a":           {at(10, "", 7, 12), at(11, "", 7, 12)},
	} {
		names, seen := subjects(got), map[string]bool{}
		if names[got[0].Conn] != name {
			t.Errorf("%q, want %q", names[got[0].Conn], name)
		}
		for _, other := range names {
			if seen[other] {
				t.Errorf("two are %q: %v", other, names)
			}
			seen[other] = true
		}
	}
}

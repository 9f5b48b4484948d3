// SPDX-License-Identifier: Apache-2.0

package live

import (
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"testing"

	"beltrace/collector/event"
)

func listening(conn uint64, netns uint32, local string, pid uint32) event.Event {
	e := event.Event{Kind: event.Listen, Conn: conn, NetNS: netns, Local: netip.MustParseAddrPort(local)}
	e.Listener, e.ListenerConn, e.PID, e.Comm = e.Local, conn, pid, "server"
	return *e.Set(event.FieldListener, event.FieldListenerConn, event.FieldPID, event.FieldComm)
}

func connected(netns uint32, local string) event.Event {
	return event.Event{Kind: event.Established, Conn: 100, NetNS: netns, Local: netip.MustParseAddrPort(local)}
}

func TestAdopt(t *testing.T) {
	for name, c := range map[string]struct {
		listeners []event.Event
		child     event.Event
		want      uint64 // listener_conn, 0: none
	}{
		"its own address":       {[]event.Event{listening(1, 5, "10.0.0.1:80", 7)}, connected(5, "10.0.0.1:80"), 1},
		"wildcard":              {[]event.Event{listening(1, 5, "[::]:80", 7)}, connected(5, "10.0.0.1:80"), 1},
		"another address":       {[]event.Event{listening(1, 5, "10.0.0.2:80", 7)}, connected(5, "10.0.0.1:80"), 0},
		"another port":          {[]event.Event{listening(1, 5, "10.0.0.1:81", 7)}, connected(5, "10.0.0.1:80"), 0},
		"another namespace":     {[]event.Event{listening(1, 6, "10.0.0.1:80", 7)}, connected(5, "10.0.0.1:80"), 0},
		"two with SO_REUSEPORT": {[]event.Event{listening(1, 5, "[::]:80", 7), listening(2, 5, "[::]:80", 8)}, connected(5, "[::1]:80"), 0},
	} {
		t.Run(name, func(t *testing.T) {
			events := append(slices.Clone(c.listeners), c.child)
			adopt(events)
			got := events[len(events)-1]
			if got.ListenerConn != c.want || got.Known(event.FieldListenerConn) != (c.want != 0) {
				t.Errorf("listener %d, want %d", got.ListenerConn, c.want)
			}
			if server := got.Known(event.FieldRole) && got.Role == event.RoleServer; server != (c.want != 0) {
				t.Errorf("role %q", got.Role)
			}
			if got.Known(event.FieldPID) {
				t.Error("an accepted connection got the listener's owner")
			}
		})
	}
}

// A connection that nobody has accepted belongs to the listener's process.
func TestAdoptQueued(t *testing.T) {
	child := connected(5, "10.0.0.1:80")
	child.Role = event.RoleServer
	child.Set(event.FieldRole)
	events := []event.Event{listening(1, 5, "[::]:80", 7), child}
	adopt(events)
	if got := events[1]; got.PID != 7 || got.Comm != "server" || !got.Known(event.FieldPID) {
		t.Errorf("owner %d %q, want 7 server", got.PID, got.Comm)
	}
}

func TestDescendants(t *testing.T) {
	cmd := exec.Command("sleep", "30")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer cmd.Process.Kill()
	got := descendants([]uint32{uint32(os.Getpid())})
	if got[0] != uint32(os.Getpid()) || !slices.Contains(got, uint32(cmd.Process.Pid)) {
		t.Errorf("descendants of %d: %v, want %d among them", os.Getpid(), got, cmd.Process.Pid)
	}
	if slices.Contains(got, 1) {
		t.Error("init descends from us")
	}
}

func TestNamespacesNamesEachOnce(t *testing.T) {
	got := namespaces("")
	if len(got) == 0 || got[0] != "/proc/self/ns/net" {
		t.Errorf("namespaces: %v, want our own first", got)
	}
	inodes := map[uint32]string{}
	for _, path := range got {
		inode, err := netnsInode(path)
		if err != nil {
			continue // its process has ended
		}
		if other := inodes[inode]; other != "" {
			t.Errorf("%s and %s are the same namespace", other, path)
		}
		inodes[inode] = path
	}
}

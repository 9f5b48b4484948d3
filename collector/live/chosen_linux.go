// SPDX-License-Identifier: Apache-2.0

package live

import (
	"fmt"
	"path/filepath"
	"slices"
	"unsafe"

	"beltrace/bpf"
	"beltrace/collector/event"

	"golang.org/x/sys/unix"
)

// What a process is watched by: enum watched_by in maps.bpf.h.
const (
	byPID   uint8 = 1
	byGroup uint8 = 2
)

// chosenBy says all of what a process must be watched by; 0: any process is watched.
func (c *Config) chosenBy() (by uint8) {
	if c.Members != nil {
		by |= byGroup
	}
	if c.PIDs != nil && (c.Members == nil || len(c.named()) > 0) {
		by |= byPID
	}
	return by
}

// named lists the processes that somebody chose, which is not said of the one that becomes a command.
func (c *Config) named() []uint32 {
	return slices.DeleteFunc(slices.Clone(c.PIDs), func(pid uint32) bool { return pid == c.Held })
}

// chosen is which processes a filter chooses, and what is known of a group's.
type chosen struct {
	members func() []Member // Config.Members
	known   map[uint32]bool // the members of a second ago
	due     bool            // one of them may have brought listeners that are not watched yet
	joined  map[uint64]bool // listeners that are watched since their process is, and are to be told, by cookie
}

func newChosen(c *Config) chosen { return chosen{members: c.Members, joined: map[uint64]bool{}} }

// seeded says that all listeners that there are are told as seeds.
func (c *chosen) seeded() {
	c.due = false
	clear(c.joined)
}

// WatchPID adds a process, and the children that it has from now on, to those that are watched, whatever the filter by
// process is. It has no effect in a session that was opened without one.
func (s *Session) WatchPID(pid uint32) error { return s.watchPID(pid, byPID|byGroup) }

func (s *Session) watchPID(pid uint32, by uint8) error {
	if err := s.maps[bpf.KernelMapWatchedPids].Put(pid, s.watchedBy(pid)|by); err != nil {
		return fmt.Errorf("watch pid %d: %w", pid, err)
	}
	s.reseed.Store(true)
	return nil
}

// watchedBy says what a process is watched by.
func (s *Session) watchedBy(pid uint32) (by uint8) {
	if s.maps[bpf.KernelMapWatchedPids].Lookup(pid, &by) != nil {
		return 0
	}
	return by
}

// watchChosen fills the filter with the processes that are chosen by number, their present descendants, and the members.
func (s *Session) watchChosen(c *Config) error {
	for _, pid := range descendants(c.named()) {
		if err := s.watchPID(pid, byPID); err != nil {
			return err
		}
	}
	if c.Held != 0 {
		if err := s.WatchPID(c.Held); err != nil {
			return err
		}
	}
	return s.watchMembers()
}

// watchMembers adds the members of the group to the filter: those that the programs did not see joining, too.
func (s *Session) watchMembers() error {
	if s.chosen.members == nil {
		return nil
	}
	known := map[uint32]bool{}
	for _, m := range s.chosen.members() {
		known[m.PID] = true
		if s.chosen.known[m.PID] {
			continue
		}
		s.chosen.due = true
		if err := s.watchPID(m.PID, byGroup); err != nil {
			return err
		}
		for _, path := range m.Cgroups {
			s.watchCgroup(path)
		}
	}
	s.chosen.known = known
	return nil
}

// unified lists where the second version's hierarchy of cgroups may be mounted.
var unified = [...]string{"/sys/fs/cgroup", "/sys/fs/cgroup/unified"}

// watchCgroup has the programs watch who joins a cgroup of that path, or is born in the one that there is. Where that does
// not work, the members are looked for once a second.
func (s *Session) watchCgroup(path string) {
	var key bpf.KernelGroupPath
	if len(path) >= len(key.Path) {
		return
	}
	for i := range len(path) {
		key.Path[i] = int8(path[i])
	}
	s.maps[bpf.KernelMapGroupPaths].Put(key, uint8(1))
	for _, root := range unified {
		var fs unix.Statfs_t
		var dir unix.Stat_t
		if unix.Statfs(root, &fs) == nil && fs.Type == unix.CGROUP2_SUPER_MAGIC && unix.Stat(filepath.Join(root, path), &dir) == nil {
			s.maps[bpf.KernelMapGroupIds].Put(dir.Ino, uint8(1))
		}
	}
}

// findJoined looks for the listeners that new members brought with them: from now on they are watched. It looks through
// all open files of all processes.
func (s *Session) findJoined() {
	if begun := monotonic(); s.chosen.due && begun >= s.ownersDue {
		s.chosen.due = false
		s.owners()
		s.ownersDue = begun + searchShare*(monotonic()-begun)
	}
}

// tellJoined tells a listener that was there before its process was watched.
func (s *Session) tellJoined(r *bpf.KernelSampleEvent) {
	q := r.Q
	q.E.Kind = uint8(bpf.KernelEventKindEVENT_LISTEN)
	q.E.Has |= uint32(bpf.KernelEventHasHAS_PRE_EXISTING)
	var e event.Event
	if s.decoder.decode(unsafe.Slice((*byte)(unsafe.Pointer(&q)), unsafe.Sizeof(q)), &e) != nil {
		return
	}
	delete(s.chosen.joined, e.Conn)
	s.listeners[e.Conn] = &listenerState{before: q.Drops, drops: q.Drops, netns: e.NetNS, ownership: ownership{pid: e.PID}}
	s.enter(&e)
	s.pending = append(s.pending, e)
}

// SPDX-License-Identifier: Apache-2.0

// Package live loads the BPF programs, attaches them, and turns what they send into events.
//
// Open tries the hooks of each probe in the order of the table; the attach is the feature test. A Session owns no
// goroutine, but while it detaches something: Next reads the ring from the caller's, in batches every few milliseconds, and
// never waits for a wake-up.
package live

import (
	"fmt"

	"beltrace/collector/event"
	"beltrace/collector/probes"
)

// Config says what to watch. The zero value watches the whole host.
type Config struct {
	Ports []uint16 // local or remote; at most 16
	PIDs  []uint32 // processes, with their children from now on
	Held  uint32   // of them, one that will become a command; its threads are not watched until then
	Comm  string   // name of a process (its first thread), exact, at most 15 bytes
	NetNS string   // path of a network namespace
	// Members lists the processes of a group, say a container; nil: no such filter. It is asked at start and once a
	// second. With PIDs, too, only processes that are of both are watched; Held always is.
	Members func() []Member
	Group   string      // what Members lists, as a command-line word: --container NAME
	Tier    probes.Tier // "": the best that works; else hooks above it are not tried
	SYN     bool        // a record for each SYN (trace syn); else SYNs are only stamped for handshake times
	Waits   bool        // a record for each wait of an epoll loop (trace epoll_wait); else they are only counted
	// Moves lists of event.Read, Write and Readable those that are written; else calls are only counted in turns. With any of
	// these, or event.Turn, those of clients whose server is watched on the same host are written, too.
	Moves      []event.Kind
	Uring      bool         // a record for each operation of a ring (trace uring_submit); else they are only added up
	Stacks     bool         // where threads sleep that serve requests, of all processes; else of those that Session.Stacks names
	Want       []probes.Set // sets on demand that are needed from the start to the end
	Cheap      bool         // sets on demand are attached only while somebody needs them, also with a filter
	NoPayload  bool         // no byte of any message is copied
	Marks      []string     // executables whose mark function is watched
	MarkSymbol string       // its symbol, import/path.Func
	Share      int          // turns are told of 1 in 2^Share connections at most, 0 to 10; 0: of all that can be carried
	RingBytes  int          // size of the ring buffer, a power of two; 0: 8 MiB
	Reading    *Reading     // nil: what was read in order to open the session is forgotten then
}

// Member is a process of a group.
type Member struct {
	PID uint32
	// Cgroups are the paths of its cgroups that make it a member, as /proc/PID/cgroup has them: who joins them is one.
	Cgroups []string
}

// Info describes a session. Only its Sets change.
type Info struct {
	Host, Kernel, Arch string
	Tier               probes.Tier
	BootOffset         int64 // add to a CLOCK_MONOTONIC time to get unix ns
	Start              int64 // when everything was attached, CLOCK_MONOTONIC
	Probes             []ProbeInfo
	Filters            []string // as command-line words
	Sets               []string // of probes that are attached
}

// ProbeInfo says how a probe is served.
type ProbeInfo struct {
	Probe  *probes.Probe
	Hook   *probes.Hook // nil: no hook worked
	Failed []HookError  // the better hooks that did not
	Idle   string       // why a probe was not attached although it could be: nothing needs it
}

// HookError says why a hook was not used.
type HookError struct {
	Hook *probes.Hook
	Err  error
}

// Unsupported is returned by Open when the kernel or the privileges do not allow to watch.
type Unsupported struct {
	What string // what is missing
	Do   string // what the user can do
	Err  error  // the cause, if there is one
}

// Error returns one line: what is missing, and what to do.
func (u *Unsupported) Error() string {
	if u.Do == "" {
		return u.What
	}
	return fmt.Sprintf("%s: %s", u.What, u.Do)
}

// Unwrap returns the cause.
func (u *Unsupported) Unwrap() error { return u.Err }

// filters renders the configuration as the command-line words that make it.
func (c *Config) filters() []string {
	var out []string
	for _, p := range c.Ports {
		out = append(out, fmt.Sprintf("--port %d", p))
	}
	for _, p := range c.PIDs {
		out = append(out, fmt.Sprintf("--pid %d", p))
	}
	if c.Comm != "" {
		out = append(out, "--comm "+c.Comm)
	}
	if c.NetNS != "" {
		out = append(out, "--netns "+c.NetNS)
	}
	if c.Group != "" {
		out = append(out, c.Group)
	}
	return out
}

// Filtered reports whether only some sockets or processes are watched.
func (c *Config) Filtered() bool {
	return c.byProcess() || c.Comm != "" || c.NetNS != "" || len(c.Ports) > 0
}

// Partial reports whether only some of the sockets of a network namespace are watched.
func (c *Config) Partial() bool { return c.byProcess() || c.Comm != "" || len(c.Ports) > 0 }

// byProcess reports whether only some processes are watched by their pid.
func (c *Config) byProcess() bool { return c.PIDs != nil || c.Members != nil }

// Report is what Doctor found.
type Report struct {
	Host, Kernel string
	Checks       []Check
}

// Check is one requirement.
type Check struct {
	Name  string
	OK    bool
	Found string
	Do    string // what to do when it is not OK
}

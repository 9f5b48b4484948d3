// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"beltrace/collector/live"
	"beltrace/collector/probes"
)

// maxPorts is how many ports the kernel compares each socket with.
const maxPorts = 16

// commLen is how much of a process's name the kernel keeps.
const commLen = 15

// watchFlags select what is watched and for how long: the same for every verb that watches.
type watchFlags struct {
	ports     numbers
	pids      numbers
	comm      string
	netns     string
	container string
	limit     length
	count     uint64
	tier      string
	noPayload bool
	verbose   bool
}

// add defines the flags.
func (f *watchFlags) add(c *cobra.Command) {
	f.addSelection(c)
	f.addNetNS(c, "only the network namespace at this `path`, such as /proc/PID/ns/net")
	f.addTier(c)
	flags := c.Flags()
	flags.BoolVar(&f.noPayload, "no-payload", false, "copy no byte of any message")
	flags.BoolVarP(&f.verbose, "verbose", "v", false, "tell how each probe is attached")
}

func (f *watchFlags) addNetNS(c *cobra.Command, usage string) {
	c.Flags().Var(&word{&f.netns, "a path"}, "netns", usage)
}

// addTier defines the flag that forces a tier: for tests.
func (f *watchFlags) addTier(c *cobra.Command) {
	c.Flags().StringVar(&f.tier, "tier", "", "use no hook above this `tier`: full, kprobe or tracepoint")
	c.Flags().MarkHidden("tier")
	c.RegisterFlagCompletionFunc("tier", cobra.FixedCompletions(
		[]string{string(probes.Full), string(probes.Kprobe), string(probes.Tracepoint)}, cobra.ShellCompDirectiveNoFileComp))
}

// addSelection defines the flags that select in a recording just as well.
func (f *watchFlags) addSelection(c *cobra.Command) {
	f.ports = numbers{what: "a port", max: 65535}
	f.pids = numbers{what: "a process id", max: 1<<32 - 1}
	flags := c.Flags()
	flags.VarP(&f.ports, "port", "P", "only sockets with this local or remote `port` (repeatable)")
	flags.VarP(&f.pids, "pid", "p", "only this `process` and its children (repeatable)")
	flags.Var(&word{&f.comm, "a process"}, "comm", "only processes of this `name`")
	flags.Var(&word{&f.container, "a container or a systemd unit"}, "container", "only the container of this `name` or id, or the systemd unit")
	flags.Var(&f.limit, "for", "end after this `duration`, such as 10s or 2m")
	flags.Var((*positive)(&f.count), "count", "end after `n` events")
}

// config returns what the flags ask live to watch.
func (f *watchFlags) config() (live.Config, error) {
	c := live.Config{NetNS: f.netns, Comm: kernelName(f.comm), NoPayload: f.noPayload}
	if f.tier != "" {
		tier, err := probes.ParseTier(f.tier)
		if err != nil {
			return c, usagef("--tier: %v", err)
		}
		c.Tier = tier
	}
	if len(f.ports.list) > maxPorts {
		return c, usagef("%d ports: at most %d can be watched by number", len(f.ports.list), maxPorts)
	}
	for _, n := range f.ports.list {
		c.Ports = append(c.Ports, uint16(n))
	}
	for _, n := range f.pids.list {
		if err := checkProcess(n); err != nil {
			return c, err
		}
		c.PIDs = append(c.PIDs, uint32(n))
	}
	if f.netns != "" {
		if err := checkNetNS(f.netns); err != nil {
			return c, err
		}
	}
	if f.container != "" {
		c.Group, c.Members = "--container "+f.container, homeMembers("/", f.container)
		if len(c.Members()) == 0 {
			return c, fmt.Errorf("no process is in a container or a systemd unit named %q%s", f.container, didYouMean(f.container, homes("/")))
		}
	}
	return c, nil
}

// space returns the inode number of the network namespace that is selected in a recording, 0 for all. It may be given as
// such, or as a path on this host.
func (f *watchFlags) space() (uint32, error) {
	if n, err := strconv.ParseUint(f.netns, 10, 32); err == nil || f.netns == "" {
		return uint32(n), nil
	}
	if err := checkNetNS(f.netns); err != nil {
		return 0, err
	}
	n, err := inode(f.netns)
	if err != nil {
		return 0, fmt.Errorf("network namespace %s: %w", f.netns, err)
	}
	return uint32(n), nil
}

// kernelName cuts a process's name as the kernel does.
func kernelName(s string) string { return s[:min(len(s), commLen)] }

// numbers is a flag that collects numbers from 1 to max.
type numbers struct {
	what string
	max  uint64
	list []uint64
}

func (n *numbers) Set(text string) error {
	for _, word := range strings.Split(text, ",") {
		v, err := strconv.ParseUint(word, 10, 64)
		if err != nil || v == 0 || v > n.max {
			return fmt.Errorf("%s is a number from 1 to %d", n.what, n.max)
		}
		if !slices.Contains(n.list, v) {
			n.list = append(n.list, v)
		}
	}
	return nil
}

func (n *numbers) String() string { return strings.Trim(fmt.Sprint(n.list), "[]") }
func (n *numbers) Type() string   { return "number" }

// word is a flag that takes a text. An empty one is refused: it comes from an empty variable, and would select all.
type word struct {
	to   *string
	what string
}

func (w *word) Set(text string) error {
	if text == "" {
		return fmt.Errorf("it is empty: leave it out, or name %s", w.what)
	}
	*w.to = text
	return nil
}

func (w *word) String() string {
	if w.to == nil {
		return ""
	}
	return *w.to
}
func (w *word) Type() string { return "string" }

// length is a flag that takes a duration above zero.
type length time.Duration

func (l *length) Set(text string) error {
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		return errors.New("a duration is a number with a unit, such as 500ms, 10s or 2m")
	}
	*l = length(d)
	return nil
}

func (l *length) String() string {
	if *l == 0 {
		return ""
	}
	return time.Duration(*l).String()
}
func (l *length) Type() string { return "duration" }

// positive is a flag that takes a number above zero.
type positive uint64

func (p *positive) Set(text string) error {
	n, err := strconv.ParseUint(text, 10, 63)
	if err != nil || n == 0 {
		return errors.New("a count is a number from 1")
	}
	*p = positive(n)
	return nil
}

func (p *positive) String() string {
	if *p == 0 {
		return ""
	}
	return strconv.FormatUint(uint64(*p), 10)
}
func (p *positive) Type() string { return "number" }

// flagError words what is wrong with a flag.
func flagError(c *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	var invalid *pflag.InvalidValueError
	see := fmt.Sprintf(" (see %s --help)", c.CommandPath())
	switch {
	case errors.As(err, &unknown):
		name := unknown.GetSpecifiedName()
		if unknown.GetSpecifiedShortnames() != "" {
			return usagef("unknown flag -%s%s", name, see)
		}
		if near, ok := nearest(name, flagNames(c)); ok { // the dashes are no likeness
			return usagef("unknown flag --%s: did you mean --%s?%s", name, near, see)
		}
		return usagef("unknown flag --%s%s", name, see)
	case errors.As(err, &invalid) && invalid.GetFlag().Value.Type() == "bool":
		return usagef("--%s %s: it takes no value (or true, or false)", invalid.GetFlag().Name, invalid.GetValue())
	case errors.As(err, &invalid):
		return usagef("%s: %v", strings.TrimSpace("--"+invalid.GetFlag().Name+" "+invalid.GetValue()), invalid.Unwrap())
	}
	return usagef("%v%s", err, see)
}

func flagNames(c *cobra.Command) []string {
	var names []string
	c.Flags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			names = append(names, f.Name)
		}
	})
	return names
}

// SPDX-License-Identifier: Apache-2.0

// Package procinfo tells what /proc knows about a process: its name, its pid inside its own namespace, the container
// and the systemd unit that its cgroup names.
package procinfo

import (
	"strconv"
	"strings"
)

// shortID is how many digits of a container's id are given: those that docker ps shows.
const shortID = 12

// ParseCgroup reads the text of /proc/PID/cgroup, of either version, and returns the innermost container and, inside
// that, the innermost systemd unit; "" where there is none. A container is the first 12 digits of its id, or its name
// where the runtime has names only (LXC).
func ParseCgroup(text string) (container, unit string) {
	for line := range strings.Lines(text) {
		// hierarchy:controllers:path; a path may hold colons.
		parts := strings.SplitN(strings.TrimSuffix(line, "\n"), ":", 3)
		if len(parts) != 3 {
			continue
		}
		c, u := parsePath(parts[2])
		if container == "" {
			container = c
		}
		// Only systemd's own hierarchy names units: the unified one, or name=systemd of version 1.
		if unit == "" && (parts[1] == "" || parts[1] == "name=systemd") {
			unit = u
		}
	}
	return container, unit
}

func parsePath(path string) (container, unit string) {
	before := ""
	for part := range strings.SplitSeq(path, "/") {
		if id := containerID(before, part); id != "" {
			container, unit = id, ""
		} else if isUnit(part) {
			unit = part
		}
		before = part
	}
	return container, unit
}

// isUnit reports whether a cgroup is one in which systemd starts processes; a monitor of a container is one.
func isUnit(part string) bool {
	for _, suffix := range []string{".service", ".scope", ".socket", ".mount"} {
		if strings.HasSuffix(part, suffix) {
			return len(part) > len(suffix)
		}
	}
	return false
}

// containerID returns the container that a part of a cgroup's path stands for, or "". before is the part in front.
func containerID(before, part string) string {
	if name, ok := lxcName(before, part); ok {
		return name
	}
	id := strings.TrimSuffix(part, ".scope")
	if id != part { // systemd driver: RUNTIME-ID.scope
		runtime, rest, ok := cutLast(id, "-")
		if !ok || strings.HasSuffix(runtime, "conmon") { // conmon watches the container from outside
			return ""
		}
		id = rest
	}
	// cgroupfs driver: .../ID, with containerd also .../NAMESPACE-ID or ...:RUNTIME:ID
	if _, rest, ok := cutLast(id, ":"); ok {
		id = rest
	}
	if len(id) != 64 || !isHex(id) {
		return ""
	}
	return id[:shortID]
}

// lxcName knows the three layouts of LXC: /lxc/NAME, /lxc.payload/NAME and /lxc.payload.NAME.
func lxcName(before, part string) (string, bool) {
	if name, ok := strings.CutPrefix(part, "lxc.payload."); ok && name != "" {
		return name, true
	}
	if (before == "lxc" || before == "lxc.payload") && part != "" && !isUnit(part) {
		return part, true
	}
	return "", false
}

func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return "", s, false
	}
	return s[:i], s[i+len(sep):], true
}

func isHex(s string) bool {
	for _, c := range []byte(s) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// parseStat reads the text of /proc/PID/stat: the process's name, which may hold spaces and brackets, and its start in
// clock ticks since boot.
func parseStat(text string) (comm string, start uint64, ok bool) {
	_, rest, ok1 := strings.Cut(text, "(")
	comm, rest, ok2 := cutLast(rest, ")")
	fields := strings.Fields(rest)
	const startAt = 22 - 3 // of the fields behind the name, which is the second
	if !ok1 || !ok2 || len(fields) <= startAt {
		return "", 0, false
	}
	start, err := strconv.ParseUint(fields[startAt], 10, 64)
	return comm, start, err == nil
}

// parseNSPID reads the text of /proc/PID/status and returns the pid in the process's own namespace, where it has one
// of its own.
func parseNSPID(text string) (uint32, bool) {
	for line := range strings.Lines(text) {
		list, ok := strings.CutPrefix(line, "NSpid:")
		if !ok {
			continue
		}
		pids := strings.Fields(list)
		if len(pids) < 2 {
			return 0, false
		}
		pid, err := strconv.ParseUint(pids[len(pids)-1], 10, 32)
		return uint32(pid), err == nil
	}
	return 0, false
}

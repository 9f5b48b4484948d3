// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"beltrace/collector/live"
	"beltrace/collector/procinfo"
)

// homeMembers returns what lists the processes of a container, by its id, a beginning of it, or its name, or of a
// systemd unit. Of one name, the container that an engine knows goes before the unit.
func homeMembers(root, name string) func() []live.Member {
	return func() []live.Member {
		id := containerID(root, name)
		inHome := func(cgroup string) bool {
			container, unit := procinfo.ParseCgroup(cgroup)
			return sameContainer(container, id) || sameUnit(unit, id)
		}
		var all []live.Member
		eachProcess(root, func(pid uint32, cgroup string) {
			if !inHome(cgroup) {
				return
			}
			m := live.Member{PID: pid}
			for line := range strings.Lines(cgroup) {
				if parts := strings.SplitN(strings.TrimSpace(line), ":", 3); len(parts) == 3 && inHome(line) {
					m.Cgroups = append(m.Cgroups, parts[2])
				}
			}
			all = append(all, m)
		})
		return all
	}
}

// sameContainer compares a container as /proc names it (the first digits of its id, or its name) with what was asked for.
func sameContainer(container, asked string) bool {
	const enough = 4 // digits of an id that are taken for one
	switch {
	case container == "":
		return false
	case container == asked:
		return true
	}
	return isHex(asked) && isHex(container) && len(asked) >= enough && (strings.HasPrefix(asked, container) || strings.HasPrefix(container, asked))
}

// sameUnit compares a systemd unit as /proc names it with what was asked for: of a service that may be without suffix.
func sameUnit(unit, asked string) bool {
	return asked != "" && (unit == asked || unit == asked+service)
}

// service is the suffix of the units that people name without it.
const service = ".service"

func isHex(s string) bool { return s != "" && strings.Trim(s, "0123456789abcdef") == "" }

// homes lists what containers there are, by name where we know one, and what systemd units that have processes.
func homes(root string) []string {
	seen := map[string]bool{}
	for _, n := range containerNames(root) {
		seen[n.name] = true
	}
	eachProcess(root, func(_ uint32, cgroup string) {
		container, unit := procinfo.ParseCgroup(cgroup)
		for _, name := range []string{container, unit, strings.TrimSuffix(unit, service)} {
			seen[name] = true
		}
	})
	delete(seen, "") // of a process that is in none
	return slices.Sorted(maps.Keys(seen))
}

// eachProcess calls f for each process with the text of its /proc/PID/cgroup.
func eachProcess(root string, f func(pid uint32, cgroup string)) {
	paths, _ := filepath.Glob(filepath.Join(root, "proc/[0-9]*/cgroup")) // its only error is a bad pattern
	for _, path := range paths {
		pid, err := strconv.ParseUint(filepath.Base(filepath.Dir(path)), 10, 32)
		text, err2 := os.ReadFile(path)
		if err != nil || err2 != nil {
			continue // it has ended meanwhile
		}
		f(uint32(pid), string(text))
	}
}

// containerName is what a container engine calls a container.
type containerName struct{ name, id string }

// containerID returns the id of the container of that name, or the name itself if no engine knows it.
func containerID(root, name string) string {
	for _, n := range containerNames(root) {
		if n.name == name {
			return n.id
		}
	}
	return name
}

// containerNames asks the files in which Docker and Podman keep their containers. Other engines' are known by id.
func containerNames(root string) []containerName {
	var out []containerName
	docker, _ := filepath.Glob(filepath.Join(root, "var/lib/docker/containers/*/config.v2.json"))
	for _, path := range docker {
		var c struct{ ID, Name string }
		if readJSON(path, &c) {
			out = append(out, containerName{strings.TrimPrefix(c.Name, "/"), c.ID})
		}
	}
	podman, _ := filepath.Glob(filepath.Join(root, "var/lib/containers/storage/*-containers/containers.json"))
	for _, path := range podman {
		var all []struct {
			ID    string
			Names []string
		}
		if !readJSON(path, &all) {
			continue
		}
		for _, c := range all {
			for _, name := range c.Names {
				out = append(out, containerName{name, c.ID})
			}
		}
	}
	return out
}

// readJSON reads a file of an engine; one that we cannot read tells nothing.
func readJSON(path string, to any) bool {
	text, err := os.ReadFile(path)
	return err == nil && json.Unmarshal(text, to) == nil
}

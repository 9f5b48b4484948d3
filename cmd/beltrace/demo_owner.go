// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// portOwner says who has a socket that keeps addr from being listened on, first of all one that listens: "nginx (pid 4711)".
// It is empty when that cannot be found out: on another system than Linux, or when the process is another user's.
func portOwner(proc string, addr netip.AddrPort) string {
	holders := append(listenersAt(filepath.Join(proc, "net/tcp"), addr), listenersAt(filepath.Join(proc, "net/tcp6"), addr)...)
	slices.SortStableFunc(holders, func(a, b holder) int { return a.distance(addr) - b.distance(addr) })
	for _, h := range holders {
		if owner := socketOwner(proc, func(fd, socket string) bool { return socket == h.socket && !sparesIPv4(fd, addr) }); owner != "" {
			return owner
		}
	}
	return socketOwner(proc, func(fd, _ string) bool { return keepsPort(fd, addr) })
}

// holder is a socket that listens.
type holder struct {
	at     netip.AddrPort
	socket string // as /proc/PID/fd has it
}

// distance is 0 at the same address, 1 in the same family, 2 in the other one.
func (h holder) distance(addr netip.AddrPort) int {
	switch {
	case h.at == addr:
		return 0
	case h.at.Addr().Is4() == addr.Addr().Is4():
		return 1
	}
	return 2
}

// listenersAt returns the listening sockets in a table of /proc/net that may keep addr from being used.
func listenersAt(table string, addr netip.AddrPort) []holder {
	f, err := os.Open(table)
	if err != nil {
		return nil
	}
	defer f.Close()
	var out []holder
	const local, state, inode, listening = 1, 3, 9, "0A"
	for lines := bufio.NewScanner(f); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) <= inode || fields[state] != listening {
			continue
		}
		at, ok := parseProcAddr(fields[local])
		if ok && inTheWay(at, addr) {
			out = append(out, holder{at, "socket:[" + fields[inode] + "]"})
		}
	}
	return out
}

// inTheWay reports whether a socket at one address may keep us from listening at another. An IPv6 socket for all addresses
// has those of IPv4, too, unless it is told not to; so has ours, which is IPv6 for 0.0.0.0 as well where the system has that.
func inTheWay(at, addr netip.AddrPort) bool {
	if at.Port() != addr.Port() {
		return false
	}
	theirs, ours := at.Addr(), addr.Addr()
	return theirs == ours || ours.IsUnspecified() || theirs.IsUnspecified() && (theirs.Is6() || ours.Is4())
}

// parseProcAddr reads an address as /proc/net/tcp writes it: words of 4 bytes in the machine's order, in hex, then the
// port. Our machines are little endian.
func parseProcAddr(s string) (netip.AddrPort, bool) {
	host, port, _ := strings.Cut(s, ":")
	b, err := hex.DecodeString(host)
	n, err2 := strconv.ParseUint(port, 16, 16)
	if err != nil || err2 != nil {
		return netip.AddrPort{}, false
	}
	for word := range slices.Chunk(b, 4) {
		slices.Reverse(word)
	}
	ip, ok := netip.AddrFromSlice(b)
	return netip.AddrPortFrom(ip.Unmap(), uint16(n)), ok
}

// socketOwner names the first process that has a socket open that is the one: fd is its file in /proc, socket what that
// leads to.
func socketOwner(proc string, is func(fd, socket string) bool) string {
	fds, err := filepath.Glob(filepath.Join(proc, "[0-9]*", "fd", "*"))
	if err != nil {
		return ""
	}
	for _, fd := range fds {
		if target, err := os.Readlink(fd); err != nil || !strings.HasPrefix(target, "socket:") || !is(fd, target) {
			continue
		}
		dir := filepath.Dir(filepath.Dir(fd))
		comm, err := os.ReadFile(filepath.Join(dir, "comm"))
		if err != nil {
			continue
		}
		return fmt.Sprintf("%s (pid %s)", strings.TrimSpace(string(comm)), filepath.Base(dir))
	}
	return ""
}

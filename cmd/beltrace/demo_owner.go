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

// portOwner says who has a socket where addr would listen, first of all one that listens: "nginx (pid 4711)". It is empty
// when that cannot be found out: on another system than Linux, or when the process is another user's.
func portOwner(proc string, addr netip.AddrPort) string {
	for _, table := range []string{"net/tcp", "net/tcp6"} {
		for _, inode := range listenersAt(filepath.Join(proc, table), addr) {
			if owner := socketOwner(proc, func(_, socket string) bool { return socket == "socket:["+inode+"]" }); owner != "" {
				return owner
			}
		}
	}
	return socketOwner(proc, func(fd, _ string) bool { return keepsPort(fd, addr) })
}

// listenersAt returns the inodes of the listening sockets in a table of /proc/net that keep addr from being used.
func listenersAt(table string, addr netip.AddrPort) []string {
	f, err := os.Open(table)
	if err != nil {
		return nil
	}
	defer f.Close()
	var inodes []string
	const local, state, inode, listening = 1, 3, 9, "0A"
	for lines := bufio.NewScanner(f); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) <= inode || fields[state] != listening {
			continue
		}
		at, ok := parseProcAddr(fields[local])
		if ok && sharePort(at, addr) {
			inodes = append(inodes, fields[inode])
		}
	}
	return inodes
}

// sharePort reports whether two sockets at these addresses would be in each other's way.
func sharePort(a, b netip.AddrPort) bool {
	return a.Port() == b.Port() && (a.Addr() == b.Addr() || a.Addr().IsUnspecified() || b.Addr().IsUnspecified())
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

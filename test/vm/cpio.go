// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"strings"
)

// Types of a cpio entry, as in a Unix file mode.
const (
	modeDir  = 0o040000
	modeFile = 0o100000
	modeLink = 0o120000
	modeChar = 0o020000
)

// cpioWriter writes an archive in the "newc" format, the one that the kernel unpacks as its first file system.
type cpioWriter struct {
	w   io.Writer
	ino uint32
	err error // the first error; every later call does nothing
}

// dir adds a folder.
func (c *cpioWriter) dir(name string) { c.entry(name, modeDir|0o755, 0, 0, nil) }

// file adds a file.
func (c *cpioWriter) file(name string, perm uint32, data []byte) {
	c.entry(name, modeFile|perm, 0, 0, data)
}

// link adds a symbolic link.
func (c *cpioWriter) link(name, to string) { c.entry(name, modeLink|0o777, 0, 0, []byte(to)) }

// char adds a character device.
func (c *cpioWriter) char(name string, major, minor uint32) {
	c.entry(name, modeChar|0o600, major, minor, nil)
}

// close ends the archive and returns the first error of any call.
func (c *cpioWriter) close() error {
	c.ino = 0xffffffff // the trailer is inode 0
	c.entry("TRAILER!!!", 0, 0, 0, nil)
	return c.err
}

func (c *cpioWriter) entry(name string, mode, major, minor uint32, data []byte) {
	if c.err != nil {
		return
	}
	c.ino++
	head := fmt.Sprintf("070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X",
		c.ino, mode, 0, 0, 1, 0, len(data), 0, 0, major, minor, len(name)+1, 0)
	_, c.err = io.WriteString(c.w, head+name+"\x00"+pad(len(head)+len(name)+1))
	if c.err == nil {
		_, c.err = c.w.Write(data)
	}
	if c.err == nil {
		_, c.err = io.WriteString(c.w, pad(len(data)))
	}
}

// pad returns the zeros that bring n to a multiple of four.
func pad(n int) string { return strings.Repeat("\x00", -n&3) }

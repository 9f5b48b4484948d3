// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"strconv"
	"strings"
)

// invokingUser returns who called sudo, with all of their groups. It is nil when there is nobody to change to: the
// program was not started by sudo, is not root, or root itself called sudo.
func invokingUser() (*credential, error) {
	uid, gid := os.Getenv("SUDO_UID"), os.Getenv("SUDO_GID")
	if os.Geteuid() != 0 || uid == "" {
		return nil, nil
	}
	if gid == "" {
		return nil, errors.New("SUDO_UID is set, but SUDO_GID is not: set both, or neither")
	}
	c := &credential{}
	var err error
	if c.Uid, err = parseID("SUDO_UID", uid); err != nil {
		return nil, err
	}
	if c.Gid, err = parseID("SUDO_GID", gid); err != nil {
		return nil, err
	}
	if c.Uid == 0 {
		return nil, nil
	}
	c.Groups = []uint32{c.Gid}
	who, err := user.LookupId(uid)
	if err != nil {
		return c, nil // no entry in the user database: the primary group is all there is
	}
	ids, err := who.GroupIds()
	if err != nil {
		return nil, fmt.Errorf("groups of user %s: %w", who.Username, err)
	}
	c.Groups = c.Groups[:0]
	for _, id := range ids {
		n, err := parseID("group", id)
		if err != nil {
			return nil, err
		}
		c.Groups = append(c.Groups, n)
	}
	return c, nil
}

func parseID(name, text string) (uint32, error) {
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil {
		return 0, fmt.Errorf("%s is %q, not a number", name, text)
	}
	return uint32(n), nil
}

// userEnv returns the environment for a program of that user: theirs instead of root's.
func userEnv(c *credential) []string {
	env := os.Environ()
	if c == nil {
		return env
	}
	who, err := user.LookupId(strconv.FormatUint(uint64(c.Uid), 10))
	if err != nil {
		return env
	}
	out := make([]string, 0, len(env)+3)
	for _, kv := range env {
		switch name, _, _ := strings.Cut(kv, "="); name {
		case "HOME", "USER", "LOGNAME", "MAIL", "SUDO_UID", "SUDO_GID", "SUDO_USER", "SUDO_COMMAND":
		default:
			out = append(out, kv)
		}
	}
	return append(out, "HOME="+who.HomeDir, "USER="+who.Username, "LOGNAME="+who.Username)
}

// giveToUser makes a file that we created the invoking user's. What was there before us, such as /dev/null, stays whose
// it is.
func giveToUser(path string) error {
	c, err := invokingUser()
	if c == nil || err != nil {
		return err
	}
	if st, err := os.Lstat(path); err != nil || !st.Mode().IsRegular() {
		return err
	}
	return os.Lchown(path, int(c.Uid), int(c.Gid))
}

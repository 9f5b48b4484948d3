// SPDX-License-Identifier: Apache-2.0

package insight

// IDs returns the names of all findings that there can be, in the order of the table.
func IDs() []string {
	out := make([]string, len(rules))
	for i := range rules {
		out[i] = rules[i].id
	}
	return out
}

package cli

import (
	"encoding/json"
	"fmt"
	"io"

	"sigs.k8s.io/yaml"
)

// write writes a value for programs, as json or yaml.
func write(out io.Writer, value any, format string) error {
	var data []byte
	var err error
	if format == "yaml" {
		data, err = yaml.Marshal(value)
	} else {
		data, err = json.MarshalIndent(value, "", "  ")
		data = append(data, '\n')
	}
	if err != nil {
		return fmt.Errorf("write as %s: %w", format, err)
	}
	_, err = out.Write(data)
	return err
}

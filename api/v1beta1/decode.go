package v1beta1

import (
	"encoding/json"
	"errors"
	"maps"
	"reflect"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kubejson "k8s.io/apimachinery/pkg/util/json"
)

// UnmarshalJSON reads a Canary whatever its spec and status hold. The definition
// that is installed may accept what these types cannot hold, as Flagger's does
// with 10.5 for a stepWeight; one such Canary must not keep anybody from reading
// the others. A field of spec or status that cannot be read is as if it were not
// given, and [Canary.Validate] says so.
func (c *Canary) UnmarshalJSON(data []byte) error {
	parts := struct {
		metav1.TypeMeta   `json:",inline"`
		metav1.ObjectMeta `json:"metadata"`

		Spec   json.RawMessage `json:"spec"`
		Status json.RawMessage `json:"status"`
	}{TypeMeta: c.TypeMeta, ObjectMeta: c.ObjectMeta}
	if err := kubejson.Unmarshal(data, &parts); err != nil {
		return err
	}
	c.TypeMeta, c.ObjectMeta = parts.TypeMeta, parts.ObjectMeta
	var found problems
	found.read("spec", parts.Spec, &c.Spec)
	found.read("status", parts.Status, &c.Status)
	c.unread = ""
	if err := errors.Join(found...); err != nil {
		c.unread = err.Error()
	}
	return nil
}

// read decodes an object into a struct: as a whole or, where that is impossible,
// those of its fields that can be.
func (p *problems) read(path string, data json.RawMessage, into any) {
	if len(data) == 0 || kubejson.Unmarshal(data, into) == nil {
		return
	}
	target := reflect.ValueOf(into).Elem()
	target.SetZero()
	var fields map[string]json.RawMessage
	if err := kubejson.Unmarshal(data, &fields); err != nil {
		p.add(path, "must be an object")
		return
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		good := reflect.New(target.Type()).Elem()
		good.Set(target)
		field, err := json.Marshal(map[string]json.RawMessage{name: fields[name]})
		if err == nil {
			err = kubejson.Unmarshal(field, into)
		}
		if err != nil {
			target.Set(good)
			p.addUnread(path+"."+name, err)
		}
	}
}

// addUnread says why a field cannot be read. Where something in it has another
// type, that is what it names.
func (p *problems) addUnread(path string, err error) {
	wrong, ok := errors.AsType[*json.UnmarshalTypeError](err)
	if !ok {
		p.add(path, "cannot be read: %w", err)
		return
	}
	// Its path begins with the last name of ours, and has those of Go's embedded
	// structs in it.
	names := strings.Split(path[:strings.LastIndex(path, ".")+1]+wrong.Field, ".")
	names = slices.DeleteFunc(names, func(name string) bool { return strings.HasPrefix(name, "Ignored") })
	p.add(strings.Join(names, "."), "must be %s, not %s", typeInWords(wrong.Type), strings.TrimPrefix(wrong.Value, "number "))
}

// typeInWords says what a value of a type is in JSON.
func typeInWords(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Int32:
		return "a whole number of 32 bits"
	case reflect.Int64:
		return "a whole number of 64 bits"
	case reflect.Float64:
		return "a number"
	case reflect.Bool:
		return "true or false"
	case reflect.String:
		return "a text"
	case reflect.Slice:
		return "a list"
	default:
		return "an object"
	}
}

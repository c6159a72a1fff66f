package simulator

import (
	"encoding/json"
	"reflect"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/jogg-go/jogg/gen"
)

// alwaysSent lists, for each model, the fields that the service sends with their zero value, those it sends as null when they are zero, and
// failure reasons that it sends as a string instead of an object. The generated models omit zero values of optional fields, which is right
// for requests only.
var alwaysSent = map[reflect.Type]struct{ zero, null, text string }{
	reflect.TypeFor[gen.CustomAvatar]():               {zero: "api_only fail_msg"},
	reflect.TypeFor[gen.CustomAvatarList]():           {zero: "avatars"},
	reflect.TypeFor[gen.AvatarMotion]():               {null: "motion_preview_url error_msg"},
	reflect.TypeFor[gen.AvatarPhoto]():                {null: "msg"},
	reflect.TypeFor[gen.CustomTemplate]():             {zero: "aspect_ratio variables"},
	reflect.TypeFor[gen.CustomVoiceList]():            {zero: "total voices"},
	reflect.TypeFor[gen.LipSyncVideo]():               {null: "completed_at data error"},
	reflect.TypeFor[gen.MusicList]():                  {zero: "music"},
	reflect.TypeFor[gen.Pagination]():                 {zero: "total_items total_pages"},
	reflect.TypeFor[gen.PhotoAvatar]():                {zero: "status fail_msg"},
	reflect.TypeFor[gen.PhotoAvatarList]():            {zero: "avatars"},
	reflect.TypeFor[gen.ProductAvatar]():              {zero: "status fail_msg aspect_ratio"},
	reflect.TypeFor[gen.ProductAvatarImagesSummary](): {zero: "total pending processing completed failed"},
	reflect.TypeFor[gen.ProductAvatarList]():          {zero: "product_avatars"},
	reflect.TypeFor[gen.ProductPreviewList]():         {zero: "previews total"},
	reflect.TypeFor[gen.ProductVideoList]():           {zero: "videos total"},
	reflect.TypeFor[gen.ProviderTask]():               {zero: "output_urls", null: "error", text: "error"},
	reflect.TypeFor[gen.PublicAvatar]():               {zero: "aspect_ratio"},
	reflect.TypeFor[gen.PublicAvatarList]():           {zero: "avatars"},
	reflect.TypeFor[gen.Quota]():                      {zero: "remaining_quota"},
	reflect.TypeFor[gen.Template]():                   {zero: "aspect_ratio"},
	reflect.TypeFor[gen.TemplateList]():               {zero: "templates"},
	reflect.TypeFor[gen.TemplateVariable]():           {zero: "required"},
	reflect.TypeFor[gen.TemplateVideoList]():          {zero: "data"},
	reflect.TypeFor[gen.TemplateVideoSummary]():       {null: "cover_url url duration_seconds"},
	reflect.TypeFor[gen.VisualStyleList]():            {zero: "visual_styles"},
	reflect.TypeFor[gen.VoiceList]():                  {zero: "voices has_more"},
	reflect.TypeFor[gen.WebhookEndpoint]():            {zero: "events"},
	reflect.TypeFor[gen.WebhookEndpointList]():        {zero: "endpoints"},
}

// wire returns a model in the form that the service sends: objects as maps, arrays as slices, other values unchanged.
func wire(model any) any {
	if model == nil {
		return nil
	}
	return wireValue(reflect.ValueOf(model))
}

func wireValue(v reflect.Value) any {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return nil
		}
		return wireValue(v.Elem())
	case reflect.Struct:
		return wireObject(v)
	case reflect.Slice:
		list := make([]any, v.Len())
		for i := range list {
			list[i] = wireValue(v.Index(i))
		}
		return list
	default:
		return v.Interface()
	}
}

func wireObject(v reflect.Value) map[string]any {
	sent := alwaysSent[v.Type()]
	object := map[string]any{}
	for i := range v.NumField() {
		name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
		switch field := v.Field(i); {
		case name == "-":
			for unlisted, value := range field.Interface().(map[string]json.RawMessage) { // AdditionalProperties, the only such field
				object[unlisted] = jsontext.Value(value)
			}
		case !field.IsZero() && listed(sent.text, name):
			object[name] = field.Interface().(gen.TaskFailure).Message
		case !field.IsZero() || listed(sent.zero, name):
			object[name] = wireValue(field)
		case listed(sent.null, name):
			object[name] = nil
		}
	}
	return object
}

func listed(names, name string) bool { return strings.Contains(" "+names+" ", " "+name+" ") }

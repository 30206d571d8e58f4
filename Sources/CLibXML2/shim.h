// libxml2's pull parser. What it says of errors goes to a handler of the reader's own: by default
// libxml2 prints it.
#ifndef VPOWER_CLIBXML2_SHIM_H
#define VPOWER_CLIBXML2_SHIM_H

#include <libxml/xmlversion.h>
// ICU's headers are Foundation's own on Swift's side, in another version. Only the layout of
// encoders depends on them, which are not used here.
#undef LIBXML_ICU_ENABLED
#include <libxml/xmlerror.h>
#include <libxml/xmlreader.h>

static inline void vp_xml_ignore_error(void *context, xmlErrorPtr error) {
    (void)context;
    (void)error;
}

// A reader of a document in UTF-8, whatever its declaration says. No network, no entities from
// elsewhere, nothing printed. Texts may be longer than 10 MB: who calls bounds the document.
static inline xmlTextReaderPtr vp_xml_reader(const char *bytes, int count) {
    xmlTextReaderPtr reader =
        xmlReaderForMemory(bytes, count, NULL, "UTF-8", XML_PARSE_NONET | XML_PARSE_HUGE);
    if (reader) xmlTextReaderSetStructuredErrorHandler(reader, vp_xml_ignore_error, NULL);
    return reader;
}

// What libxml2 has allocated for its caller; `xmlFree` itself is a variable.
static inline void vp_xml_free(void *memory) { xmlFree(memory); }

// Where the parser is, for a message.
static inline int vp_xml_line(xmlTextReaderPtr reader) {
    return xmlTextReaderGetParserLineNumber(reader);
}

#endif

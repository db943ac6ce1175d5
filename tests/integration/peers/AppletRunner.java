import java.applet.Applet;
import java.applet.AppletContext;
import java.applet.AppletStub;
import java.applet.AudioClip;
import java.awt.Frame;
import java.awt.Image;
import java.awt.Toolkit;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.Reader;
import java.net.URI;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Enumeration;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import javax.swing.text.MutableAttributeSet;
import javax.swing.text.html.HTML;
import javax.swing.text.html.HTMLEditorKit;
import javax.swing.text.html.parser.ParserDelegator;

/**
 * Runs the first applet of a web page in a window: java AppletRunner.java URL.
 *
 * The page and the archives are fetched as a browser with the Java plug-in fetched them. There is no security manager, so
 * the rule that an applet may only call its own host is not enforced here.
 */
@SuppressWarnings({"deprecation", "removal"})
public final class AppletRunner {
    /** What the page says of its applet: the attributes of the tag, and its parameters. Names are in lower case. */
    private static final class Tag extends HTMLEditorKit.ParserCallback {
        final Map<String, String> attributes = new HashMap<>();
        final Map<String, String> parameters = new HashMap<>();
        private boolean inside;
        private boolean seen;

        @Override
        public void handleStartTag(HTML.Tag tag, MutableAttributeSet set, int position) {
            if (tag == HTML.Tag.APPLET && !seen) {
                inside = seen = true;
                for (Object name : Collections.list(set.getAttributeNames())) {
                    attributes.put(lower(name), String.valueOf(set.getAttribute(name)));
                }
            }
        }

        @Override
        public void handleSimpleTag(HTML.Tag tag, MutableAttributeSet set, int position) {
            if (tag == HTML.Tag.PARAM && inside) {
                String name = lower(set.getAttribute(HTML.Attribute.NAME));
                parameters.put(name, String.valueOf(set.getAttribute(HTML.Attribute.VALUE)));
            }
        }

        @Override
        public void handleEndTag(HTML.Tag tag, int position) {
            inside &= tag != HTML.Tag.APPLET;
        }

        private static String lower(Object name) {
            return String.valueOf(name).toLowerCase(Locale.ROOT);
        }
    }

    /** What an applet may ask of its surroundings. */
    private record Surroundings(URL page, URL base, Tag tag) implements AppletStub, AppletContext {
        @Override public boolean isActive() { return true; }
        @Override public URL getDocumentBase() { return page; }
        @Override public URL getCodeBase() { return base; }
        @Override public String getParameter(String name) { return tag.parameters.get(Tag.lower(name)); }
        @Override public AppletContext getAppletContext() { return this; }
        @Override public void appletResize(int width, int height) { }
        @Override public AudioClip getAudioClip(URL url) { return null; }
        @Override public Image getImage(URL url) { return Toolkit.getDefaultToolkit().getImage(url); }
        @Override public Applet getApplet(String name) { return null; }
        @Override public Enumeration<Applet> getApplets() { return Collections.emptyEnumeration(); }
        @Override public void showDocument(URL url) { System.out.println("document: " + url); }
        @Override public void showDocument(URL url, String target) { showDocument(url); }
        @Override public void showStatus(String status) { System.out.println("status: " + status); }
        @Override public void setStream(String key, InputStream stream) { }
        @Override public InputStream getStream(String key) { return null; }
        @Override public Iterator<String> getStreamKeys() { return Collections.emptyIterator(); }
    }

    public static void main(String[] arguments) throws Exception {
        URL page = URI.create(arguments[0]).toURL();
        Tag tag = new Tag();
        try (Reader reader = new InputStreamReader(page.openStream(), StandardCharsets.UTF_8)) {
            new ParserDelegator().parse(reader, tag, true);
        }
        if (!tag.seen) {
            throw new IllegalArgumentException("there is no applet on " + page);
        }
        URL base = new URL(page, tag.attributes.getOrDefault("codebase", "."));
        Applet applet = load(base, tag);
        applet.setStub(new Surroundings(page, base, tag));

        Frame frame = new Frame("applet");
        frame.add(applet);
        frame.setSize(size(tag, "width", 800), size(tag, "height", 600));
        frame.setVisible(true);
        applet.init();
        applet.start();
        frame.validate();
        System.out.println("applet started");
    }

    private static Applet load(URL base, Tag tag) throws Exception {
        List<URL> sources = new ArrayList<>();
        for (String archive : tag.attributes.getOrDefault("archive", "").split(",")) {
            sources.add(new URL(base, archive.trim()));
        }
        URLClassLoader loader = new URLClassLoader(sources.toArray(new URL[0]));
        Thread.currentThread().setContextClassLoader(loader);
        String name = tag.attributes.get("code").replaceFirst("\\.class$", "");
        return (Applet) loader.loadClass(name).getDeclaredConstructor().newInstance();
    }

    private static int size(Tag tag, String side, int otherwise) {
        String value = tag.attributes.getOrDefault(side, "");
        return value.matches("[0-9]+") ? Integer.parseInt(value) : otherwise;
    }
}

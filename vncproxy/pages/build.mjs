/**
 * Build the page: `node build.mjs [DIRECTORY]`, after `npm ci`. DIRECTORY is `../static` unless said.
 *
 *     vnc_auto.html               refers to its assets by relative addresses, so it works behind any prefix
 *     assets/console-HASH.js      our modules and noVNC, one script
 *     assets/console-HASH.css     one stylesheet
 *     LICENSES.txt                the licences of what is inside, and where its sources are
 *
 * Each also lies there compressed, as .br and .gz. An asset's name holds the hash of its content, so it can
 * be cached for good. The page is written after its assets, and what an earlier build left goes last: whoever
 * is being served meanwhile never gets a page without its assets.
 */

import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

import { build } from "esbuild";

const HERE = path.dirname(fileURLToPath(import.meta.url));
const NOVNC = path.join(HERE, "node_modules/@novnc/novnc");
const PAGE = "vnc_auto.html";
const BANNER = "/* vncproxy, with noVNC (MPL-2.0) and pako (MIT): see LICENSES.txt beside the page */";

/**
 * @param {string} entry
 * @returns {Promise<Buffer>} bundled and minified
 */
async function bundle(entry) {
    const result = await build({
        entryPoints: [path.join(HERE, "src", entry)],
        bundle: true,
        minify: true,
        format: "esm",
        target: ["es2022"],
        charset: "utf8",
        legalComments: "none",
        banner: { js: BANNER },
        logLevel: "warning",
        write: false,
    });
    return Buffer.from(result.outputFiles[0].contents);
}

/**
 * @param {Buffer} content
 * @param {string} extension
 * @returns {string} a name that changes with the content
 */
function hashedName(content, extension) {
    const hash = createHash("sha256").update(content).digest("hex").slice(0, 12);
    return `assets/console-${hash}.${extension}`;
}

/** @returns {Promise<string>} the licence texts of what the script holds */
async function licences() {
    const { version } = JSON.parse(await readFile(path.join(NOVNC, "package.json"), "utf8"));
    const text = (/** @type {string} */ name) => readFile(path.join(NOVNC, name), "utf8");
    const rule = `\n${"=".repeat(100)}\n`;
    const head = `The console page of vncproxy is licensed under the MIT licence, as vncproxy is.

Its script also holds, unchanged except that all modules are joined and minified:

  noVNC ${version}   Mozilla Public License 2.0; parts of it under BSD licences, as its files say
                https://github.com/novnc/noVNC/tree/v${version}  (npm package @novnc/novnc ${version})
  pako          MIT licence, as it comes inside noVNC (vendor/pako)
                https://github.com/nodeca/pako

The sources of both are at these addresses, under these licences.
`;
    const parts = [
        head,
        `noVNC: AUTHORS\n\n${await text("AUTHORS")}`,
        `noVNC: LICENSE.txt\n\n${await text("LICENSE.txt")}`,
        `noVNC: docs/LICENSE.MPL-2.0\n\n${await text("docs/LICENSE.MPL-2.0")}`,
        `noVNC: docs/LICENSE.BSD-2-Clause\n\n${await text("docs/LICENSE.BSD-2-Clause")}`,
        `noVNC: docs/LICENSE.BSD-3-Clause\n\n${await text("docs/LICENSE.BSD-3-Clause")}`,
        `noVNC: core/crypto/des.js\n\n${firstComment(await text("core/crypto/des.js"))}`,
        `pako: vendor/pako/LICENSE\n\n${await text("vendor/pako/LICENSE")}`,
    ];
    return parts.map((part) => part.trimEnd() + "\n").join(rule);
}

/**
 * @param {string} source
 * @returns {string} the block comment at its head
 */
function firstComment(source) {
    return source.slice(0, source.indexOf("*/") + 2);
}

/**
 * Write a file and its two compressed forms, each whole or not at all.
 *
 * @param {string} target
 * @param {Buffer} content
 */
async function publish(target, content) {
    const forms = {
        "": content,
        ".br": brotliCompressSync(content, {
            params: {
                [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY,
                [constants.BROTLI_PARAM_SIZE_HINT]: content.length,
            },
        }),
        ".gz": gzipSync(content, { level: constants.Z_BEST_COMPRESSION }),
    };
    for (const [ending, form] of Object.entries(forms)) {
        const fresh = `${target}.new`;
        await writeFile(fresh, form);
        await rename(fresh, target + ending);
    }
    const sizes = Object.values(forms).map((form) => form.length);
    console.log(`${path.relative(process.cwd(), target)}: ${sizes[0]} bytes, br ${sizes[1]}, gz ${sizes[2]}`);
}

/**
 * @param {string} directory its assets of earlier builds go
 * @param {string[]} kept names of this build
 */
async function clean(directory, kept) {
    const assets = path.join(directory, "assets");
    const current = new Set(
        kept.flatMap((name) => ["", ".br", ".gz"].map((ending) => path.basename(name) + ending)),
    );
    for (const name of await readdir(assets)) {
        if (!current.has(name)) {
            await rm(path.join(assets, name), { recursive: true });
        }
    }
}

async function main() {
    const directory = path.resolve(process.argv[2] ?? path.join(HERE, "../static"));
    const script = await bundle("main.js");
    const style = await bundle("console.css");
    const names = { script: hashedName(script, "js"), style: hashedName(style, "css") };
    const template = await readFile(path.join(HERE, "src", PAGE), "utf8");
    const page = template.replace("{{script}}", names.script).replace("{{style}}", names.style);

    await mkdir(path.join(directory, "assets"), { recursive: true });
    await publish(path.join(directory, names.script), script);
    await publish(path.join(directory, names.style), style);
    await publish(path.join(directory, "LICENSES.txt"), Buffer.from(await licences()));
    await publish(path.join(directory, PAGE), Buffer.from(page));
    await clean(directory, Object.values(names));
}

await main();

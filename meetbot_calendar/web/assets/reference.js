const box=document.querySelector("input"),rows=[...document.querySelectorAll("details")];
box.addEventListener("input",()=>{const words=box.value.toLowerCase().split(/\s+/);
rows.forEach(row=>{row.hidden=!words.every(word=>row.textContent.toLowerCase().includes(word))})});
const open=()=>{const row=document.getElementById(location.hash.slice(1));if(row)row.open=true};
addEventListener("hashchange",open);open();
